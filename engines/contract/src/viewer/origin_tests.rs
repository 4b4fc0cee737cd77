//! The limits of every value of an origin directive, and one past each.

use super::*;
use crate::Header;

fn request() -> RequestMessage {
    RequestMessage {
        method: "GET".to_owned(),
        uri: "/".to_owned(),
        query: None,
        headers: vec![Header::new("host", "www.example.com"), Header::new("x-a", "1")],
    }
}

fn update(edit: impl FnOnce(&mut OriginProperties)) -> Result<OriginUpdate, String> {
    let mut properties = OriginProperties::default();
    edit(&mut properties);
    match OriginDirective::Update(Box::new(properties)).checked(&request()) {
        Ok(OriginChoice::Update(update)) => Ok(update),
        Ok(other) => panic!("{other:?}"),
        Err(found) => Err(found.to_string()),
    }
}

fn text(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[test]
fn nothing_written_changes_nothing() {
    assert_eq!(update(|_| {}), Ok(OriginUpdate::default()));
}

#[test]
fn domain_names() {
    let long = format!("{}.example", ["x".repeat(60).as_str(); 4].join("."));
    assert_eq!(long.len(), 251);
    for name in ["b.example.com", "xn--bcher-kva.example", "a_b.example", "B.Example.com", &long] {
        assert_eq!(update(|p| p.domain_name = text(name)).unwrap().domain_name, Some(name.to_ascii_lowercase()));
    }
    let longer = format!("{}{long}", "abc.");
    for name in ["", "192.0.2.1", "127.1", "0x7f.1", "[::1]", "a:80", "a b", "-a.b", "a..b", "a/b", &longer] {
        assert!(update(|p| p.domain_name = text(name)).is_err(), "{name}");
        assert!(update(|p| p.overrides.host_header = text(name)).is_err(), "{name}");
        assert!(update(|p| p.overrides.sni = text(name)).is_err(), "{name}");
    }
}

#[test]
fn s3_names_are_short_and_lower_case() {
    let s3 = |name: &str| {
        update(|p| {
            p.domain_name = text(name);
            p.access_control = Some(OriginAccessControl {
                enabled: true,
                signing_behavior: text("always"),
                signing_protocol: text("sigv4"),
                origin_type: text("s3"),
            });
        })
    };
    assert_eq!(s3("bucket.s3.amazonaws.com").unwrap().without_effect, ["originAccessControlConfig"]);
    assert!(s3("Bucket.s3.amazonaws.com").is_err());
    let fill = |length: usize| format!("{}.{}.com", "a".repeat(60), "b".repeat(length - 65));
    assert!(s3(&fill(128)).is_ok());
    assert!(s3(&fill(129)).is_err());
}

#[test]
fn paths() {
    for path in ["", "/a", "/a/b%20c"] {
        assert_eq!(update(|p| p.origin_path = text(path)).unwrap().path, text(path));
    }
    assert!(update(|p| p.origin_path = text(&format!("/{}", "x".repeat(254)))).is_ok());
    for path in ["/", "/a/", "a", "/a b", "/a?b", "/a#b", "/../b", "/é", &format!("/{}", "x".repeat(255))] {
        assert!(update(|p| p.origin_path = text(path)).is_err(), "{path}");
    }
}

#[test]
fn numbers_at_their_limits() {
    type Set = fn(&mut OriginProperties, f64);
    let cases: [(Set, f64, f64); 5] = [
        (|p, n| p.timeouts.read = Some(n), 1.0, 120.0),
        (|p, n| p.timeouts.keepalive = Some(n), 1.0, 120.0),
        (|p, n| p.timeouts.connection = Some(n), 1.0, 10.0),
        (|p, n| p.connection_attempts = Some(n), 1.0, 3.0),
        (|p, n| p.custom = Some(CustomOriginConfig { port: Some(n), ..CustomOriginConfig::default() }), 1.0, 65_535.0),
    ];
    for (set, least, most) in cases {
        for good in [least, most] {
            assert!(update(|p| set(p, good)).is_ok(), "{good}");
        }
        for wrong in [least - 1.0, most + 1.0, least + 0.5, -1.0, f64::NAN, f64::INFINITY] {
            assert!(update(|p| set(p, wrong)).is_err(), "{wrong}");
        }
    }
    let completion = |read: f64, completion: f64| {
        update(|p| {
            p.timeouts = OriginTimeouts { read: Some(read), completion: Some(completion), ..OriginTimeouts::default() }
        })
    };
    assert!(completion(30.0, 30.0).is_ok());
    assert!(completion(30.0, 29.0).is_err());
}

#[test]
fn words_are_among_the_known_ones() {
    let custom = |edit: fn(&mut CustomOriginConfig)| {
        update(|p| {
            let mut config = CustomOriginConfig::default();
            edit(&mut config);
            p.custom = Some(config);
        })
    };
    assert_eq!(custom(|c| c.protocol = text("https")).unwrap().https, Some(true));
    assert!(custom(|c| c.protocol = text("ftp")).is_err());
    assert!(custom(|c| c.ssl_protocols = Some(vec!["TLSv1.2".to_owned(), "SSLv3".to_owned()])).is_ok());
    assert!(custom(|c| c.ssl_protocols = Some(vec!["TLSv1.3".to_owned()])).is_err());
    assert!(custom(|c| c.ip_address_type = text("ipv4")).unwrap_err().contains("domainName"));
    assert!(update(|p| p.mtls = text("on")).is_err());
    assert!(update(|p| p.mtls = text("off")).is_ok());
}

#[test]
fn shield_and_access_control_need_their_parts() {
    let shield = |enabled, region: Option<&str>| {
        update(|p| p.shield = Some(OriginShield { enabled, region: region.map(str::to_owned) }))
    };
    assert!(shield(true, Some("us-east-1")).is_ok());
    assert!(shield(false, None).is_ok());
    assert!(shield(true, None).unwrap_err().contains("region"));
    let access = |enabled, host: Option<&str>| {
        update(|p| {
            p.access_control = Some(OriginAccessControl {
                enabled,
                signing_behavior: text("always"),
                signing_protocol: text("sigv4"),
                origin_type: text("lambda"),
            });
            p.overrides.host_header = host.map(str::to_owned);
        })
    };
    assert!(access(true, None).is_ok());
    assert!(access(true, Some("h.example")).is_err());
    assert!(access(false, Some("h.example")).is_ok());
    assert!(update(|p| p.access_control = Some(OriginAccessControl { enabled: true, ..Default::default() })).is_err());
}

#[test]
fn custom_headers_do_not_collide() {
    let headers =
        |name: &str, value: &str| update(|p| p.custom_headers = Some(vec![(name.to_owned(), value.to_owned())]));
    assert!(headers("x-secret", "1").is_ok());
    assert_eq!(update(|p| p.custom_headers = Some(Vec::new())).unwrap().headers, Some(Vec::new()));
    for name in ["x-a", "X-Secret", "host", "via", "x-cache", "x-edge-a", "connection", "cookie", "a b", ""] {
        assert!(headers(name, "1").is_err(), "{name}");
    }
    assert!(headers("x-secret", "a\r\nb").is_err());
}

#[test]
fn groups_have_two_members_and_known_statuses() {
    let group = |count: usize, codes: &[f64], selection: Option<&str>| {
        let member = GroupMember { id: "a".to_owned(), ..GroupMember::default() };
        let directive = OriginDirective::Group {
            members: vec![member; count],
            selection: selection.map(str::to_owned),
            status_codes: codes.to_vec(),
        };
        directive.checked(&request())
    };
    let all = [400.0, 403.0, 404.0, 416.0, 500.0, 502.0, 503.0, 504.0];
    let Ok(OriginChoice::Group { failover, .. }) = group(2, &all, Some("media-quality-score")) else { panic!() };
    assert_eq!(failover, [400, 403, 404, 416, 500, 502, 503, 504]);
    for count in [0, 1, 3] {
        assert!(group(count, &all, None).is_err(), "{count}");
    }
    assert!(group(2, &[], None).is_err());
    assert!(group(2, &[200.0], None).is_err());
    assert!(group(2, &[500.0], Some("fastest")).is_err());
}

#[test]
fn certificate_names() {
    let names = |list: Vec<String>| update(|p| p.overrides.allowed_certificate_names = Some(list));
    assert!(names(vec!["*.example.com".to_owned(); 20]).is_ok());
    assert!(names(vec!["*.example.com".to_owned(); 21]).is_err());
    assert!(names(vec![format!("{}.com", "a".repeat(60))]).is_ok());
    assert!(names(vec![format!("{}.co.uk", "a".repeat(60))]).is_err());
}

#[test]
fn what_has_no_effect_is_named() {
    let all = update(|p| {
        p.shield = Some(OriginShield { enabled: true, region: text("eu-west-1") });
        p.timeouts.completion = Some(9.0);
        p.overrides.allowed_certificate_names = Some(vec!["*.example".to_owned()]);
        p.mtls = text("off");
    });
    let names = OriginChoice::Update(all.unwrap()).without_effect();
    assert_eq!(names, ["originShield", "timeouts.responseCompletionTimeout", "mTLSConfig", "allowedCertificateNames"]);
    assert_eq!(OriginChoice::Select(GroupMember::default()).without_effect(), [""; 0]);
}

#[test]
fn every_wrong_value_is_named() {
    let text = update(|p| {
        p.domain_name = text("192.0.2.1");
        p.origin_path = text("/a/");
        p.timeouts.read = Some(121.0);
        p.connection_attempts = Some(4.0);
        p.overrides.host_header = text("a:80");
        p.custom_headers = Some(vec![("x-a".to_owned(), "1".to_owned()), ("X-B".to_owned(), "a\nb".to_owned())]);
        p.access_control = Some(OriginAccessControl { enabled: true, ..OriginAccessControl::default() });
    });
    let text = text.unwrap_err();
    let fields: Vec<&str> = text.lines().map(|line| line.split_whitespace().nth(1).unwrap()).collect();
    assert_eq!(
        fields,
        [
            "origin.hostHeader",
            "origin.originAccessControlConfig.signingBehavior",
            "origin.originAccessControlConfig.signingProtocol",
            "origin.originAccessControlConfig.originType",
            "origin.hostHeader",
            "origin.timeouts.readTimeout",
            "origin.connectionAttempts",
            "origin.domainName",
            "origin.originPath",
            "origin.customHeaders[\"x-a\"]",
            "origin.customHeaders[\"X-B\"]",
            "origin.customHeaders[\"X-B\"]",
        ],
        "{text}"
    );
    let member = |host: &str| GroupMember {
        id: "a".to_owned(),
        overrides: OriginOverrides { host_header: Some(host.to_owned()), ..OriginOverrides::default() },
    };
    let group = OriginDirective::Group {
        members: vec![member("a.example"), member("[::1]")],
        selection: Some("fastest".to_owned()),
        status_codes: vec![500.0, 200.0],
    };
    let text = group.checked(&request()).unwrap_err().to_string();
    assert!(text.contains("origin.originIds[1].originOverrides.hostHeader"), "{text}");
    assert_eq!(text.lines().count(), 3, "{text}");
}
