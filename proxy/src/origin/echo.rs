//! An origin that answers with the request it received, as JSON: what `dev` puts in the place of origins that are not there.
//!
//! The answer carries no `Cache-Control`: the cache policy of the configuration decides, as it would for an origin that says nothing.

use super::{Delimited, OriginError, OriginRequest, OriginResponse};
use crate::body;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Response, header};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde_json::{Map, Value, json};

/// Bytes of a request's body that are told; of longer ones the answer says so.
const LONGEST_BODY: usize = 1 << 20;

/// What the origin called `name` received.
///
/// # Errors
/// The request's body breaks off.
pub(super) async fn answer(name: &str, request: OriginRequest) -> Result<OriginResponse, OriginError> {
    let head_only = request.method == Method::HEAD;
    let (path, query) = request.path_and_query.split_once('?').unwrap_or((&request.path_and_query, ""));
    let mut told = json!({
        "origin": name,
        "method": request.method.as_str(),
        "path": path,
        "query": query,
        "headers": fields(&request.headers),
    });
    match Limited::new(request.body, LONGEST_BODY).collect().await {
        Ok(collected) => tell_body(&mut told, &collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => told["body_left_out"] = json!(true),
        Err(error) => {
            let error = error.downcast::<body::BodyError>().map_or(body::BodyError::Viewer, |error| *error);
            return Err(OriginError::ViewerBody(error));
        }
    }
    let text = format!("{told:#}\n");
    let length = text.len() as u64;
    let (mut head, ()) = Response::new(()).into_parts();
    head.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    head.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    Ok(if head_only {
        OriginResponse { head, body: body::empty(), delimited: Delimited::None }
    } else {
        OriginResponse { head, body: body::full(text), delimited: Delimited::Length(length) }
    })
}

/// Names with their values, those of one name joined as a recipient may join them (RFC 9110, section 5.3).
fn fields(headers: &HeaderMap) -> Map<String, Value> {
    let joined = |name: &header::HeaderName| {
        let values: Vec<_> =
            headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
        values.join(if name == header::COOKIE { "; " } else { ", " })
    };
    headers.keys().map(|name| (name.to_string(), Value::from(joined(name)))).collect()
}

fn tell_body(told: &mut Value, bytes: &Bytes) {
    match std::str::from_utf8(bytes) {
        Ok(text) => told["body"] = json!(text),
        Err(_) => told["body_base64"] = json!(STANDARD.encode(bytes)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::origin::{BodyLength, SecondTry};

    async fn told(method: Method, body: Bytes) -> (HeaderMap, Vec<u8>) {
        let mut headers = HeaderMap::new();
        for (name, value) in
            [("host", "app.example.com"), ("accept", "a"), ("accept", "b"), ("cookie", "x=1"), ("cookie", "y=2")]
        {
            headers.append(name, HeaderValue::from_static(value));
        }
        let request = OriginRequest {
            again: SecondTry::default(),
            method,
            path_and_query: "/a/b?c=d&e".to_owned(),
            headers,
            body_length: BodyLength::Known(body.len() as u64),
            body: body::full(body),
            interim: None,
            websocket: false,
            grpc: false,
        };
        let answer = answer("app", request).await.unwrap();
        (answer.head.headers, answer.body.collect().await.unwrap().to_bytes().to_vec())
    }

    #[tokio::test]
    async fn the_request_comes_back_as_json() {
        let (headers, body) = told(Method::POST, Bytes::from_static(b"hello")).await;
        assert_eq!(
            (&headers["content-type"], headers["content-length"].to_str().unwrap()),
            (&HeaderValue::from_static("application/json"), &*body.len().to_string())
        );
        let told: Value = serde_json::from_slice(&body).unwrap();
        let expected = json!({
            "origin": "app", "method": "POST", "path": "/a/b", "query": "c=d&e", "body": "hello",
            "headers": { "host": "app.example.com", "accept": "a, b", "cookie": "x=1; y=2" },
        });
        assert_eq!(told, expected);
    }

    #[tokio::test]
    async fn bodies_that_are_no_text_or_too_long() {
        let body = |bytes: Vec<u8>| async {
            serde_json::from_slice::<Value>(&told(Method::PUT, bytes.into()).await.1).unwrap()
        };
        assert_eq!(body(vec![0xff, 0]).await["body_base64"], "/wA=");
        assert_eq!(body(vec![b'a'; LONGEST_BODY]).await["body"].as_str().unwrap().len(), LONGEST_BODY);
        let cut = body(vec![b'a'; LONGEST_BODY + 1]).await;
        assert_eq!((&cut["body"], &cut["body_left_out"]), (&Value::Null, &json!(true)));
        let (headers, body) = told(Method::HEAD, Bytes::new()).await;
        assert!(body.is_empty() && headers["content-length"] != "0");
    }
}
