//! One fetch of a key set, through the origin client: no redirects, bounded, JSON or nothing.

use crate::{
    auth::jwt::SET_LIMIT,
    body,
    origin::{BodyLength, Origin, OriginBuildError, OriginRequest, OriginSettings, SecondTry, Target},
};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use http_body_util::{BodyExt as _, Limited};
use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

/// Brings the text of a key set, or says why not.
pub type Fetcher = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = Result<Vec<u8>, String>> + Send>> + Send + Sync>;

/// Longest wait for a connection, and between bytes.
const WAIT: Duration = Duration::from_secs(5);

/// Fetches from a server.
///
/// # Errors
/// The address cannot be used, or the system has no authorities.
pub fn over_http(
    name: &str,
    https: bool,
    host: &str,
    port: u16,
    target: &str,
    user_agent: HeaderValue,
) -> Result<Fetcher, OriginBuildError> {
    let place = Target::Url { https, host: host.to_owned(), port, path_prefix: String::new() };
    let settings = OriginSettings {
        connection_timeout: WAIT,
        connection_attempts: 1,
        read_timeout: WAIT,
        ..OriginSettings::new(place)
    };
    let origin = Origin::build(name, settings)?;
    let target = target.to_owned();
    Ok(Arc::new(move || {
        let (origin, target, user_agent) = (origin.clone(), target.clone(), user_agent.clone());
        Box::pin(fetch(origin, target, user_agent))
    }))
}

async fn fetch(origin: Origin, target: String, user_agent: HeaderValue) -> Result<Vec<u8>, String> {
    let headers = HeaderMap::from_iter([
        (header::ACCEPT, HeaderValue::from_static("application/jwk-set+json, application/json")),
        (header::USER_AGENT, user_agent),
    ]);
    let request = OriginRequest {
        again: SecondTry::default(),
        method: Method::GET,
        path_and_query: target,
        headers,
        body: body::empty(),
        body_length: BodyLength::None,
        interim: None,
        websocket: false,
        grpc: false,
    };
    let response = origin.send(request).await.map_err(|error| error.to_string())?;
    if response.head.status != StatusCode::OK {
        return Err(format!("the server answered {}", response.head.status.as_u16()));
    }
    if let Some(kind) = response.head.headers.get(header::CONTENT_TYPE) {
        let kind = kind.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        if kind != "application/json" && !kind.ends_with("+json") {
            return Err("the server's answer is not JSON".to_owned());
        }
    }
    let body = Limited::new(response.body, SET_LIMIT).collect().await;
    Ok(body.map_err(|_| "the server's answer broke off or is too large".to_owned())?.to_bytes().to_vec())
}
