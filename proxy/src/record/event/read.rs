//! Reading events that somebody wrote: every problem is told with its place in the event.

use crate::record::HookEvent;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use edgehook_contract::{Header, HookPoint, RequestMessage, ResponseMessage, lambda, viewer};
use serde_json::Value;

/// Reads an event of either family, which is told by its content.
///
/// # Errors
/// What is wrong, with the place in the event.
pub fn read_event(event: &Value) -> Result<HookEvent, String> {
    if event.get("Records").is_some() {
        return Ok(HookEvent::Lambda(Box::new(lambda_event(event)?)));
    }
    if event.get("version").is_some() || event.get("request").is_some() {
        return Ok(HookEvent::Viewer(Box::new(viewer_event(event)?)));
    }
    Err("neither a CloudFront Functions event (\"version\": \"1.0\") nor a Lambda@Edge event (\"Records\")".to_owned())
}

fn viewer_event(event: &Value) -> Result<viewer::Event, String> {
    if event.get("version").is_some_and(|version| version != "1.0") {
        return Err(format!("version: expected \"1.0\", found {}", event["version"]));
    }
    let request = event.get("request").filter(|request| request.is_object());
    let request = request.ok_or("request: expected an object")?;
    let mut headers = header_lines(request, "request")?;
    let cookies: Vec<String> =
        pairs(request, "cookies", "request")?.map(|(name, item)| format!("{name}={}", member(item, "value"))).collect();
    if !cookies.is_empty() {
        headers.push(Header::new("cookie", cookies.join("; ")));
    }
    let query = query(request)?;
    let response = event.get("response").map(viewer_response).transpose()?;
    let hook = match (event["context"]["eventType"].as_str(), &response) {
        (Some("viewer-request"), _) | (None, None) => HookPoint::ViewerRequest,
        (Some("viewer-response") | None, Some(_)) => HookPoint::ViewerResponse,
        (Some("viewer-response"), None) => return Err("response: expected an object at viewer-response".to_owned()),
        (Some(other), _) => {
            return Err(format!(
                "context.eventType: expected \"viewer-request\" or \"viewer-response\", found {other:?}"
            ));
        }
    };
    let context = |name| member(&event["context"], name).to_owned();
    Ok(viewer::Event {
        hook,
        context: viewer::Context {
            distribution_domain_name: context("distributionDomainName"),
            distribution_id: context("distributionId"),
            request_id: context("requestId"),
        },
        viewer_ip: or(member(&event["viewer"], "ip"), "192.0.2.1"),
        request: RequestMessage {
            method: or(member(request, "method"), "GET"),
            uri: text(request, "uri", "request")?.to_owned(),
            query,
            headers,
        },
        response: response.filter(|_| hook == HookPoint::ViewerResponse),
    })
}

fn or(text: &str, usual: &str) -> String {
    if text.is_empty() { usual.to_owned() } else { text.to_owned() }
}

fn query(request: &Value) -> Result<Option<String>, String> {
    let query = match request.get("querystring") {
        Some(Value::String(query)) => query.clone(),
        _ => {
            let pair = |(name, item): (&String, &Value)| match member(item, "value") {
                "" => name.clone(),
                value => format!("{name}={value}"),
            };
            pairs(request, "querystring", "request")?.map(pair).collect::<Vec<_>>().join("&")
        }
    };
    Ok((!query.is_empty()).then_some(query))
}

fn viewer_response(response: &Value) -> Result<ResponseMessage, String> {
    let mut headers = header_lines(response, "response")?;
    for (name, item) in pairs(response, "cookies", "response")? {
        let line = match member(item, "attributes") {
            "" => format!("{name}={}", member(item, "value")),
            attributes => format!("{name}={}; {attributes}", member(item, "value")),
        };
        headers.push(Header::new("set-cookie", line));
    }
    let status = response.get("statusCode").and_then(Value::as_u64).and_then(|status| u16::try_from(status).ok());
    Ok(ResponseMessage {
        status: status.ok_or("response.statusCode: expected a number")?,
        reason: response["statusDescription"].as_str().map(str::to_owned),
        headers,
    })
}

fn header_lines(message: &Value, place: &str) -> Result<Vec<Header>, String> {
    Ok(pairs(message, "headers", place)?.map(|(name, item)| Header::new(name.clone(), member(item, "value"))).collect())
}

/// The fields of an object, one for each value.
fn pairs<'a>(
    message: &'a Value,
    name: &str,
    place: &str,
) -> Result<impl Iterator<Item = (&'a String, &'a Value)> + use<'a>, String> {
    let members = match message.get(name) {
        None | Some(Value::Null) => None,
        Some(Value::Object(members)) => Some(members),
        Some(_) => return Err(format!("{place}.{name}: expected an object")),
    };
    let is_wrong = |field: &Value| !field.is_object() || field.get("value").is_some_and(|value| !value.is_string());
    if let Some((wrong, _)) = members.into_iter().flatten().find(|(_, field)| is_wrong(field)) {
        return Err(format!("{place}.{name}.{wrong}: expected {{\"value\": \"…\"}}"));
    }
    Ok(members.into_iter().flatten().flat_map(|(name, field)| {
        let values: Vec<&Value> = match field.get("multiValue").and_then(Value::as_array) {
            Some(list) => list.iter().collect(),
            None => vec![field],
        };
        values.into_iter().map(move |value| (name, value))
    }))
}

fn member<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn text<'a>(value: &'a Value, name: &str, place: &str) -> Result<&'a str, String> {
    value.get(name).and_then(Value::as_str).ok_or_else(|| format!("{place}.{name}: expected text"))
}

fn lambda_event(event: &Value) -> Result<lambda::Event, String> {
    let cf = event["Records"].get(0).and_then(|record| record.get("cf")).ok_or("Records[0].cf: expected an object")?;
    let request = cf.get("request").filter(|request| request.is_object());
    let request = request.ok_or("Records[0].cf.request: expected an object")?;
    let response = cf.get("response");
    let hook = match cf["config"]["eventType"].as_str() {
        Some(name) => HookPoint::ALL.into_iter().find(|hook| hook.as_str() == name).ok_or_else(|| {
            let names = HookPoint::ALL.map(HookPoint::as_str).join(", ");
            format!("Records[0].cf.config.eventType: expected one of {names}, found {name:?}")
        })?,
        None if response.is_some() => HookPoint::OriginResponse,
        None => HookPoint::OriginRequest,
    };
    if !hook.is_request() && response.is_none() {
        return Err(format!("Records[0].cf.response: expected an object at {}", hook.as_str()));
    }
    let context = |name| member(&cf["config"], name).to_owned();
    let query = member(request, "querystring");
    Ok(lambda::Event {
        hook,
        context: lambda::Context {
            distribution_domain_name: context("distributionDomainName"),
            distribution_id: context("distributionId"),
            request_id: context("requestId"),
        },
        client_ip: or(member(request, "clientIp"), "192.0.2.1"),
        request: RequestMessage {
            method: or(member(request, "method"), "GET"),
            uri: text(request, "uri", "Records[0].cf.request")?.to_owned(),
            query: (!query.is_empty()).then(|| query.to_owned()),
            headers: lambda_headers(request, "request")?,
        },
        body: lambda_body(request)?,
        origin: request.get("origin").map(lambda_origin).transpose()?,
        response: response.filter(|_| !hook.is_request()).map(lambda_response).transpose()?,
        lower_case_keys: false,
    })
}

fn lambda_response(response: &Value) -> Result<ResponseMessage, String> {
    let status = match &response["status"] {
        Value::String(status) => status.parse().ok(),
        status => status.as_u64().and_then(|status| u16::try_from(status).ok()),
    };
    Ok(ResponseMessage {
        status: status.ok_or("Records[0].cf.response.status: expected a status such as \"200\"")?,
        reason: response["statusDescription"].as_str().map(str::to_owned),
        headers: lambda_headers(response, "response")?,
    })
}

fn lambda_headers(message: &Value, place: &str) -> Result<Vec<Header>, String> {
    let headers = match message.get("headers") {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Object(headers)) => headers,
        Some(_) => return Err(format!("Records[0].cf.{place}.headers: expected an object")),
    };
    let mut lines = Vec::new();
    for (name, list) in headers {
        let wrong = || format!("Records[0].cf.{place}.headers.{name}: expected [{{\"key\": \"…\", \"value\": \"…\"}}]");
        for entry in list.as_array().ok_or_else(wrong)? {
            let value = entry.get("value").and_then(Value::as_str).ok_or_else(wrong)?;
            lines.push(Header::new(name.clone(), value));
        }
    }
    Ok(lines)
}

fn lambda_body(request: &Value) -> Result<Option<lambda::EventBody>, String> {
    let Some(body) = request.get("body").filter(|body| body.is_object()) else { return Ok(None) };
    let data = member(body, "data");
    let data = if member(body, "encoding") == "text" {
        data.as_bytes().to_vec()
    } else {
        BASE64_STANDARD.decode(data).map_err(|_| "Records[0].cf.request.body.data: expected base64")?
    };
    Ok(Some(lambda::EventBody { data, truncated: body["inputTruncated"] == true }))
}

fn lambda_origin(origin: &Value) -> Result<lambda::Origin, String> {
    let (shape, is_s3) = match (origin.get("custom"), origin.get("s3")) {
        (Some(custom), None) => (custom, false),
        (None, Some(s3)) => (s3, true),
        _ => return Err("Records[0].cf.request.origin: expected exactly one of custom and s3".to_owned()),
    };
    let number = |name: &str, usual: u64| shape.get(name).and_then(Value::as_u64).unwrap_or(usual);
    let https = member(shape, "protocol") != "http";
    let listed = shape.get("customHeaders").and_then(Value::as_object).into_iter().flatten();
    let custom_headers = listed.flat_map(|(name, list)| {
        let entries = list.as_array().into_iter().flatten();
        entries.map(move |entry| Header::new(name.clone(), member(entry, "value")))
    });
    Ok(lambda::Origin {
        domain_name: member(shape, "domainName").to_owned(),
        port: u16::try_from(number("port", if https { 443 } else { 80 })).unwrap_or(443),
        https,
        path: member(shape, "path").to_owned(),
        custom_headers: custom_headers.collect(),
        read_timeout: number("readTimeout", 30),
        keepalive_timeout: number("keepaliveTimeout", 5),
        s3: is_s3.then(|| lambda::S3 {
            identity: member(shape, "authMethod") == "origin-access-identity",
            region: member(shape, "region").to_owned(),
        }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::event_json;
    use serde_json::json;

    #[test]
    fn events_come_back_as_they_were_written() {
        let viewer = json!({
            "version": "1.0",
            "context": {
                "distributionDomainName": "d", "distributionId": "E", "eventType": "viewer-response", "requestId": "r"
            },
            "viewer": { "ip": "192.0.2.7" },
            "request": {
                "method": "GET", "uri": "/x",
                "querystring": { "a": { "value": "1", "multiValue": [{ "value": "1" }, { "value": "2" }] } },
                "headers": { "host": { "value": "h" } },
                "cookies": { "c": { "value": "v" } },
            },
            "response": {
                "statusCode": 200,
                "headers": { "x-y": { "value": "z" } },
                "cookies": { "s": { "value": "1", "attributes": "Path=/" } },
                "statusDescription": "OK",
            },
        });
        assert_eq!(event_json(&read_event(&viewer).unwrap()), viewer);
        let lambda = json!({ "Records": [{ "cf": {
            "config": {
                "distributionDomainName": "d", "distributionId": "E", "eventType": "origin-request", "requestId": "r"
            },
            "request": {
                "clientIp": "192.0.2.7",
                "headers": { "host": [{ "key": "Host", "value": "h" }] },
                "method": "GET", "querystring": "a=1", "uri": "/x",
                "origin": { "custom": {
                    "customHeaders": {}, "domainName": "o.example", "keepaliveTimeout": 5, "path": "", "port": 443,
                    "protocol": "https", "readTimeout": 30, "sslProtocols": ["TLSv1.2"],
                } },
            },
        } }] });
        assert_eq!(event_json(&read_event(&lambda).unwrap()), lambda);
    }

    #[test]
    fn what_is_no_event_is_told_with_its_place() {
        let request = |headers: Value| json!({ "version": "1.0", "request": { "uri": "/", "headers": headers } });
        let lambda = json!({ "Records": [{ "cf": { "request": { "uri": "/", "headers": { "a": 1 } } } }] });
        let odd = json!({ "version": "1.0", "context": { "eventType": "x" }, "request": { "uri": "/" } });
        for (event, expected) in [
            (json!({}), "neither"),
            (json!([]), "neither"),
            (json!({ "version": "2.0", "request": {} }), "version: expected"),
            (json!({ "version": "1.0" }), "request: expected"),
            (json!({ "version": "1.0", "request": {} }), "request.uri: expected text"),
            (request(json!([])), "request.headers: expected an object"),
            (request(json!({ "a": "b" })), "request.headers.a: expected {"),
            (odd, "context.eventType"),
            (json!({ "Records": [] }), "Records[0].cf: expected"),
            (lambda, "headers.a: expected ["),
        ] {
            let problem = read_event(&event).unwrap_err();
            assert!(problem.contains(expected), "{event}: {problem}");
        }
    }
}
