//! What fuzz targets call (`tests/fuzz`): each function takes bytes of unknown origin and panics if a promise is broken. The same
//! functions are property tests of the ordinary suite.
//!
//! They run on an ordinary engine, outside an isolate: what is looked for is wrong answers, not resources.

#![allow(clippy::expect_used, reason = "a broken promise has to be loud, and only tests come here")]

use super::{event::Form, modules, outcome};
use boa_engine::{Context, JsString, JsValue, js_string};
use edgehook_contract::{
    HookPoint, RequestMessage, Violations,
    viewer::{self, Event, OriginDirective, Returned, Rules, Runtime},
};
use edgehook_protocol::{event::EventRef, viewer::Outcome, wire::Wire};

const RULES: Rules = Rules { lenient: false, body_limit: 40_960 };

fn context() -> Context {
    let mut context = Context::default();
    modules::install(&modules::Settings::default(), &mut context).expect("host objects can be made");
    context
}

/// The value of a JSON text.
fn json(text: &str, context: &mut Context) -> Option<JsValue> {
    let parse = context.intrinsics().objects().json().get(js_string!("parse"), context).ok()?.as_callable()?;
    parse.call(&JsValue::undefined(), &[JsString::from(text).into()], context).ok()
}

/// Builds the event of an encoded [`Event`]. What a function leaves alone has to come back as it was.
pub fn event(bytes: &[u8]) {
    let (mut rest, mut again) = (bytes, bytes);
    let (Ok(event), Ok(owned)) = (EventRef::take(&mut rest), Event::take(&mut again)) else { return };
    let mut context = context();
    let mut form = Form::new(Runtime::Js2, &mut context).expect("an event's form can be made");
    let argument = form.fill(&event, &mut context);
    let part = if event.hook == HookPoint::ViewerResponse && event.response.is_some() { "response" } else { "request" };
    let value = argument.get(JsString::from(part), &mut context).expect("the event has its part");
    let Outcome::Returned(read) = outcome::read(&value, outcome::Given { event: &event, form: &form }) else {
        panic!("an event is a valid result")
    };
    match read {
        Returned::Request(returned) => {
            if let Ok(applied) = viewer::apply_request(&owned.request, &returned, &RULES) {
                assert_eq!(applied, owned.request, "a request that was left alone");
            }
        }
        Returned::Response(returned) => {
            assert!(!returned.request_changed, "a request that was left alone");
            let given = owned.response.unwrap_or_default();
            if let Ok((applied, body)) = viewer::apply_response(&given, &returned, &RULES) {
                assert_eq!((applied.status, &applied.headers, body), (given.status, &given.headers, None));
            }
        }
    }
}

/// Reads a JSON text as a result and applies it. What is let through is safe to send.
pub fn result(text: &str) {
    let mut context = context();
    let Some(value) = json(text, &mut context) else { return };
    let request = RequestMessage { method: "GET".to_owned(), uri: "/".to_owned(), ..RequestMessage::default() };
    let given = Event {
        hook: HookPoint::ViewerRequest,
        context: viewer::Context::default(),
        viewer_ip: "::1".to_owned(),
        request: request.clone(),
        response: None,
    };
    let mut encoded = Vec::new();
    given.put(&mut encoded);
    let event = EventRef::take(&mut encoded.as_slice()).expect("just encoded");
    let mut form = Form::new(Runtime::Js2, &mut context).expect("an event's form can be made");
    form.fill(&event, &mut context);
    match outcome::read(&value, outcome::Given { event: &event, form: &form }) {
        Outcome::Returned(Returned::Request(returned)) => {
            safe(viewer::apply_request(&request, &returned, &RULES).map(|request| {
                assert!(request.uri.starts_with('/') && is_visible(&request.uri) && !request.uri.contains('?'));
                assert!(request.query.is_none_or(|query| is_visible(&query) && !query.contains('#')));
                request.headers
            }))
        }
        Outcome::Returned(Returned::Response(returned)) => {
            safe(viewer::apply_generated(&returned, &RULES).map(|(response, body)| {
                assert!((200..600).contains(&response.status) && body.len() <= RULES.body_limit);
                response.headers
            }));
        }
        Outcome::Invalid(misread) => can_be_told(&misread.violations.into()),
        Outcome::Failed(problem) => panic!("reading runs nothing that could fail: {problem}"),
    }
}

fn is_visible(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn is_printable(text: &str) -> bool {
    !text.chars().any(|character| character.is_ascii_control())
}

/// Violations that can be told: some, not too many, without control characters.
fn can_be_told(found: &Violations) {
    assert!((1..=Violations::LIMIT).contains(&found.listed().len()), "{found:?}");
    assert!(found.listed().iter().all(|violation| is_printable(&violation.text)), "{found:?}");
}

fn safe(headers: Result<Vec<edgehook_contract::Header>, Violations>) {
    match headers {
        Err(found) => can_be_told(&found),
        Ok(headers) => {
            for header in headers {
                assert!(edgehook_contract::is_token(&header.name) && !edgehook_contract::is_hidden(&header.name));
                assert!(!header.value.iter().any(|byte| byte.is_ascii_control() && *byte != b'\t'), "{header:?}");
            }
        }
    }
}

/// Calls the origin functions with a JSON text as their argument and checks what they remember.
pub fn origin(text: &str) {
    let mut context = context();
    let Some(argument) = json(text, &mut context) else { return };
    let module = modules::export("cloudfront", &context).expect("the second runtime has it");
    for name in ["updateRequestOrigin", "selectRequestOriginById", "createRequestOriginGroup"] {
        modules::begin(HookPoint::ViewerRequest, &mut context);
        let function = module.get(JsString::from(name), &mut context).ok().and_then(|value| value.as_callable());
        let function = function.expect("the module has it");
        // What it throws is the script's to see.
        let _ = function.call(&JsValue::undefined(), &[argument.clone(), argument.clone()], &mut context);
        let Some(directive) = modules::directive(&mut context) else { continue };
        let mut bytes = Vec::new();
        directive.put(&mut bytes);
        let taken = OriginDirective::take(&mut bytes.as_slice());
        assert_eq!(taken.as_ref().map(|taken| format!("{taken:?}")), Ok(format!("{directive:?}")));
        if let Err(found) = directive.checked(&RequestMessage::default()) {
            can_be_told(&found);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use edgehook_contract::{Header, ResponseMessage};
    use proptest::prelude::*;

    /// Header lines as HTTP allows them: any bytes but controls, and never at the edges a blank.
    fn lines(cookie: &'static str) -> impl Strategy<Value = Vec<Header>> {
        let names = prop_oneof![
            Just("host".to_owned()),
            Just(cookie.to_owned()),
            Just("x-edge-a".to_owned()),
            Just("via".to_owned()),
            "[a-z0-9!#$%&'*+.^_`|~-]{1,12}",
        ];
        let byte = prop_oneof![0x21_u8..0x7f, 0x80_u8..=0xff, Just(b' '), Just(b';'), Just(b'='), Just(b'\t')];
        let value = prop::collection::vec(byte, 0..24).prop_map(|bytes| bytes.trim_ascii().to_vec());
        prop::collection::vec((names, value).prop_map(|(name, value)| Header::new(name, value)), 0..12)
    }

    /// JSON whose names are those of results and origins, so that it gets far.
    fn value(names: &'static [&'static str]) -> impl Strategy<Value = String> {
        let text = prop_oneof![
            prop::sample::select(
                &["", "text", "base64", "aGk=", "/x", "a.example", "https", "x-a", "1\r\nx: 2", "/a?b#c", "é"][..]
            )
            .prop_map(str::to_owned),
            any::<String>(),
        ];
        let leaf = prop_oneof![
            text.prop_map(|text| quoted(&text)),
            prop::sample::select(&["null", "true", "200", "302.5", "-1", "1e400", "80", "500", "3"][..])
                .prop_map(str::to_owned),
        ];
        leaf.prop_recursive(4, 64, 6, move |inner| {
            let name = prop_oneof![
                4 => prop::sample::select(names).prop_map(str::to_owned),
                1 => any::<String>(),
            ];
            prop_oneof![
                1 => prop::collection::vec(inner.clone(), 0..4).prop_map(|items| format!("[{}]", items.join(","))),
                4 => prop::collection::vec((name, inner), 0..6).prop_map(|members| {
                    let members: Vec<String> = members.iter().map(|(name, value)| format!("{}:{value}", quoted(name))).collect();
                    format!("{{{}}}", members.join(","))
                }),
            ]
        })
    }

    fn quoted(text: &str) -> String {
        let escaped: String = text.chars().map(|c| format!("\\u{:04x}", u32::from(c) & 0xffff)).collect();
        format!("\"{escaped}\"")
    }

    const RESULT: &[&str] = &[
        "statusCode",
        "statusDescription",
        "headers",
        "cookies",
        "querystring",
        "uri",
        "method",
        "body",
        "encoding",
        "data",
        "value",
        "multiValue",
        "attributes",
        "location",
        "x-a",
        "X-A",
        "via",
        "x-edge-b",
        "host",
        "cookie",
        "set-cookie",
    ];

    const ORIGIN: &[&str] = &[
        "domainName",
        "hostHeader",
        "originPath",
        "customHeaders",
        "connectionAttempts",
        "originShield",
        "enabled",
        "region",
        "originAccessControlConfig",
        "signingBehavior",
        "originType",
        "timeouts",
        "readTimeout",
        "customOriginConfig",
        "port",
        "protocol",
        "sni",
        "allowedCertificateNames",
        "originIds",
        "originId",
        "originOverrides",
        "failoverCriteria",
        "statusCodes",
    ];

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn what_is_left_alone_comes_back_as_it_was(
            headers in lines("cookie"), answer in prop::option::of(lines("set-cookie")),
            query in prop::option::of("[!-\"$-~]{0,40}"), uri in "/[!-\"$->@-~]{0,20}",
        ) {
            let hook = if answer.is_some() { HookPoint::ViewerResponse } else { HookPoint::ViewerRequest };
            let sent = Event {
                hook,
                context: viewer::Context::default(),
                viewer_ip: "::1".to_owned(),
                request: RequestMessage { method: "GET".to_owned(), uri, query, headers },
                response: answer.map(|headers| ResponseMessage { status: 200, reason: None, headers }),
            };
            let mut encoded = Vec::new();
            sent.put(&mut encoded);
            event(&encoded);
        }

        #[test]
        fn junk_is_no_event(bytes: Vec<u8>) {
            event(&bytes);
        }

        #[test]
        fn results_are_safe_or_refused(text in value(RESULT)) {
            result(&text);
        }

        #[test]
        fn origin_arguments_are_read_or_refused(text in value(ORIGIN)) {
            origin(&text);
        }
    }
}
