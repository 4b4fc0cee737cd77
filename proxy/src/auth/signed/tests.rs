//! U01: what is signed, what is not, and what a change does.

use super::*;
use crate::{auth::places, gate::Host, listener::Scheme};
use http::{HeaderMap, HeaderValue, Method, Version, header};
use proptest::{prelude::*, test_runner::TestRunner};

const NOW: u64 = 1_800_000_000;
const RSA: &[u8] = include_bytes!("../../../../tests/vectors/keys/rsa.pem");
const P256: &[u8] = include_bytes!("../../../../tests/vectors/keys/p256.pem");
const OTHER: &[u8] = include_bytes!("../../../../tests/vectors/keys/rsa2.pem");

fn signers() -> Signers {
    let rsa = include_bytes!("../../../../tests/vectors/keys/rsa.pub.pem");
    let p256 = include_bytes!("../../../../tests/vectors/keys/p256.pub.pem");
    Signers::new(HashMap::from([
        ("KRSA".to_owned(), SignedKey::from_pem(rsa).unwrap()),
        ("KEC".to_owned(), SignedKey::from_pem(p256).unwrap()),
    ]))
}

/// A request for an address, as the gate lets it in; `None` where it does not.
fn request(url: &str, cookies: &[(String, &str)], viewer: &str) -> Option<Received> {
    let (scheme, rest) = url.split_once("://")?;
    let (authority, target) = rest.split_at(rest.find('/')?);
    let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
    let mut headers = HeaderMap::new();
    for (name, value) in cookies {
        headers.append(header::COOKIE, HeaderValue::try_from(format!("{name}={value}")).ok()?);
    }
    Some(Received {
        method: Method::GET,
        scheme: if scheme == "https" { Scheme::Https } else { Scheme::Http },
        host: Host::parse(authority)?,
        path: gate::canonical_path(path).ok()?,
        query: query.map(str::to_owned),
        headers,
        viewer: viewer.parse().ok()?,
        version: Version::HTTP_11,
        has_body: false,
        websocket: false,
        grpc: None,
        interim: None,
    })
}

fn check_at(url: &str, now: u64) -> Result<(), SignedProblem> {
    signers().check(&request(url, &[], "192.0.2.7").unwrap(), now)
}

fn check(url: &str) -> Result<(), SignedProblem> {
    check_at(url, NOW)
}

fn signer(pem: &[u8]) -> Signer {
    Signer::from_pem(if pem == P256 { "KEC" } else { "KRSA" }, pem).unwrap()
}

fn canned(address: &str) -> String {
    signer(RSA).canned(address, NOW + 60).unwrap().url(address)
}

const ADDRESS: &str = "https://www.example.com/a/b.jpg?size=large";
/// Made by `openssl dgst -sha1 -sign rsa.pem`, and so on, over the canned policy for [`ADDRESS`] until 2100.
const SHA1_RSA: &str = "N68KOsQveMlDfo3dlW~8WvhdRMK7EHpz-F3cT45KT6q6Cl-e04M50dpP~dWqPzMlTuXHaQIP-byzJ2Ak~sFnHptbyLwL7Px9J9RuJUmrwADKifqH~HW95ZeWpUaAVSbSvo7kVP9nFciUPBmM9slvOFYNKZBZtAnTRIbwuIzg1Gh~1GQD7lFQhENas2EIrbfIiS5xITIZFdxJ2ShU7Mq6R2Xe4IzmDMwHDT0-EID7~s0zz7hlHtb3cda6YXS9-iBLS4iond2K~zyE~hCw9J8XGj8P~vdID0~3aHv-pNP8GCf8gyo6DwObv3OWC7f~rtLJ6tqa69dW-j7b8lU1Xoxfrw__";
const SHA256_RSA: &str = "YBOaATCgrVIMSrzH33jpqHyzRGA2UrKcLIcxLuOGyh2Klf6UAW8YVE68icGVntO~8rIxz8vuW1UDO0FGJe7b5eI~dDaljAdJYNN6IHkjVzykpbLC6rEShnkwksyNHEJBroh6RPCOsyRxdMXSofhlbFNxgU5XH4xmKPP-uH3viRSfx6SNKmunAfo72FMA9TZ5lr2h9KrBw9G406RX-~QIFgYvc~FDN9WeIASvqyZd3Af3jLAa25ie-ExnxFlbknxU~Wmqp1AzdwQLojjPfINStEbx96tF9YkPVjt0ldCy9DiravR2-kiSiP8Og5m1x7--tBf918tbRpVFfSSqc9nHHg__";
const SHA1_EC: &str =
    "MEYCIQD-W9n1MIalkgwyBBmzRdKzdhAMCHDXjOtG4XOzv8bDIwIhALIsILKZ~Bwyh10seLRj1WteWYneKp6~7vwtvCJ-JbuZ";
const SHA256_EC: &str =
    "MEYCIQDDJluZJc7SM3fhsV8Y7hSl~Fwo5t3ZQBceDErJzN1qDgIhAKjk-BKI6PzWVGq~o8DXmZGyBhVoxTdSMI1YvAlNDDdL";
/// A custom policy for `http*://www.example.com/a/*` from 192.0.2.0/24, signed with RSA and SHA-1.
const POLICY: &str = "eyJTdGF0ZW1lbnQiOlt7IlJlc291cmNlIjoiaHR0cCo6Ly93d3cuZXhhbXBsZS5jb20vYS8qIiwiQ29uZGl0aW9uIjp7IkRhdGVMZXNzVGhhbiI6eyJBV1M6RXBvY2hUaW1lIjo0MTAyNDQ0ODAwfSwiSXBBZGRyZXNzIjp7IkFXUzpTb3VyY2VJcCI6IjE5Mi4wLjIuMC8yNCJ9fX1dfQ__";
const POLICY_SHA1_RSA: &str = "EdQBCJcq~Ynqo3nfcqBHOOKlKRcWUnZXS92sV-C1P5oJ4yrlTildesQgel-zjInEbA64Ez8sCiHIigSH5nOo7XjH3VNNJbA9YXGF2su9XjmvL-5NWWt427IcVBwJHv1PVz2r36sNFBG7gPu2sqMVRl6Nc0DhfMI6hxeWD8eCmVfCiOEOQGO-QPuRSPVkBIu5VVQng4abpGQNo~HzatrKO54ERorms0chd7mkVyfhtJ1Y3PNNev07una~flI2FXIvo-2XZIhXXJv7bJdRwXorxal3pOevmZBO9ToW~XF9dBiHxi4wJlCrGMjsOiZVuP4XQKHscMutmUJu~5fK9W7qOQ__";

#[test]
fn signatures_of_another_implementation() {
    let url = |key: &str, signature: &str, hash: &str| {
        check(&format!("{ADDRESS}&Expires=4102444800&Signature={signature}&Key-Pair-Id={key}{hash}"))
    };
    assert_eq!(url("KRSA", SHA1_RSA, ""), Ok(()));
    assert_eq!(url("KRSA", SHA1_RSA, "&Hash-Algorithm=SHA1"), Ok(()));
    assert_eq!(url("KRSA", SHA256_RSA, "&Hash-Algorithm=SHA256"), Ok(()));
    assert_eq!(url("KEC", SHA1_EC, ""), Ok(()));
    assert_eq!(url("KEC", SHA256_EC, "&Hash-Algorithm=SHA256"), Ok(()));
    for (key, signature, hash, problem) in [
        ("KRSA", SHA256_RSA, "", SignedProblem::Signature),
        ("KRSA", SHA1_RSA, "&Hash-Algorithm=SHA256", SignedProblem::Signature),
        ("KEC", SHA256_EC, "", SignedProblem::Signature),
        ("KEC", SHA1_RSA, "", SignedProblem::Signature),
        ("KRSA", SHA1_RSA, "&Hash-Algorithm=MD5", SignedProblem::Form),
        ("KRSA", SHA1_RSA, "&Hash-Algorithm=sha1", SignedProblem::Form),
        ("KX", SHA1_RSA, "", SignedProblem::Key),
    ] {
        assert_eq!(url(key, signature, hash), Err(problem), "{key} {hash}");
    }
    let custom = |url: &str, viewer: &str| {
        let cookies = [
            ("CloudFront-Policy".to_owned(), POLICY),
            ("CloudFront-Signature".to_owned(), POLICY_SHA1_RSA),
            ("CloudFront-Key-Pair-Id".to_owned(), "KRSA"),
        ];
        signers().check(&request(url, &cookies, viewer).unwrap(), NOW)
    };
    assert_eq!(custom("http://www.example.com/a/x?y=1", "192.0.2.255"), Ok(()));
    assert_eq!(custom("http://www.example.com/a/x", "192.0.3.1"), Err(SignedProblem::Viewer));
    assert_eq!(custom("http://www.example.com/b", "192.0.2.1"), Err(SignedProblem::Resource));
}

#[test]
fn what_is_made_here_is_accepted_here() {
    for pem in [RSA, P256] {
        for address in ["https://www.example.com/", ADDRESS, "http://h:8080/%2Fx?a&b=%20"] {
            let url = signer(pem).canned(address, NOW + 60).unwrap().url(address);
            assert_eq!(check_at(&url, NOW + 59), Ok(()), "{address}");
            assert_eq!(check_at(&url, NOW + 60), Err(SignedProblem::Expired), "{address}");
        }
        let restrictions = Restrictions {
            resource: "https://www.example.com/a/*".to_owned(),
            before: NOW + 60,
            after: Some(NOW),
            network: "192.0.2.0/24".parse().ok(),
        };
        let signed = signer(pem).custom(&restrictions).unwrap();
        let url = signed.url("https://www.example.com/a/c?d=e");
        assert_eq!(check_at(&url, NOW), Err(SignedProblem::NotYet));
        assert_eq!(check_at(&url, NOW + 1), Ok(()));
        let cookies = signed.cookies();
        let asked = request("https://www.example.com/a/other", &cookies, "192.0.2.7").unwrap();
        assert_eq!(signers().check(&asked, NOW + 1), Ok(()));
    }
    assert!(Signer::from_pem("K", include_bytes!("../../../../tests/vectors/keys/p384.pem")).is_err());
}

#[test]
fn forms_that_are_refused() {
    let good = canned(ADDRESS);
    assert_eq!(check(&good), Ok(()));
    let (own, rest) = good.split_once("&Expires").unwrap();
    let parameters = format!("Expires{rest}");
    for (url, problem) in [
        (ADDRESS.to_owned(), SignedProblem::Missing),
        (good.replace("&Key-Pair-Id=KRSA", ""), SignedProblem::Incomplete),
        (good.replace("&Signature=", "&Signatur="), SignedProblem::Incomplete),
        (good.replace("&Expires=", "&Policy=e30_&Expires="), SignedProblem::Incomplete),
        (format!("{good}&Expires={}", NOW + 60), SignedProblem::Repeated),
        (format!("{good}&Key-Pair-Id=KRSA"), SignedProblem::Repeated),
        (good.replace("Expires=1", "Expires=01"), SignedProblem::Form),
        (good.replace("Expires=1", "Expires=+1"), SignedProblem::Form),
        (good.replace("Expires=1", "Expires=%31"), SignedProblem::Form),
        (good.replace("Expires=1", "Expires=2"), SignedProblem::Signature),
        (good.replace("KRSA", "KEC"), SignedProblem::Signature),
        (good.replace("https", "http"), SignedProblem::Signature),
        (good.replace("www.", "api."), SignedProblem::Signature),
        (good.replace("example.com", "example.com:8443"), SignedProblem::Signature),
        (good.replace("b.jpg", "c.jpg"), SignedProblem::Signature),
        (good.replace("b.jpg", "b.jpg/"), SignedProblem::Signature),
        (good.replace("/a/b", "/a%2Fb"), SignedProblem::Signature),
        (good.replace("/a/b", "//a/b"), SignedProblem::Signature),
        (good.replace("size=large", "size=Large"), SignedProblem::Signature),
        (good.replace("size=large", "size=larg%65"), SignedProblem::Signature),
        (good.replace("size=large&", ""), SignedProblem::Signature),
        (format!("{good}&extra=1"), SignedProblem::Signature),
        (format!("{good}&"), SignedProblem::Signature),
        (good.replace('?', "?&"), SignedProblem::Signature),
        (good.replace("Expires", "expires"), SignedProblem::Incomplete),
        (good.replace("Signature=", "Signature=_"), SignedProblem::Form),
        (good.replace("size=large", "size=\"large"), SignedProblem::Form),
        (good.replace("size=large", "size=\\large"), SignedProblem::Form),
    ] {
        assert_eq!(check(&url), Err(problem), "{url}");
    }
    // What does not change the meaning: another order of the parameters, another writing of the same path or host.
    let mut pieces: Vec<&str> = parameters.split('&').collect();
    pieces.reverse();
    assert_eq!(check(&format!("{own}&{}", pieces.join("&"))), Ok(()));
    let (path, query) = own.split_once('?').unwrap();
    assert_eq!(check(&format!("{path}?{parameters}&{query}")), Ok(()));
    assert_eq!(check(&good.replace("/a/b", "/x/../%61/./b")), Ok(()), "the canonical path is what is routed");
    assert_eq!(check(&good.replace("www.example.com/", "WWW.example.com.:443/")), Ok(()));
}

#[test]
fn another_key_is_no_key() {
    let forged = Signer::from_pem("KRSA", OTHER).unwrap().canned(ADDRESS, NOW + 60).unwrap().url(ADDRESS);
    assert_eq!(check(&forged), Err(SignedProblem::Signature));
}

#[test]
fn wildcards_do_not_reach_further_than_they_were_signed() {
    let signed = |resource: &str| {
        let restrictions = Restrictions { resource: resource.to_owned(), before: NOW + 60, after: None, network: None };
        signer(P256).custom(&restrictions).unwrap()
    };
    let videos = signed("https://www.example.com/videos/*");
    for (address, expected) in [
        ("https://www.example.com/videos/a?x", Ok(())),
        ("https://www.example.com/videos/", Ok(())),
        ("https://www.example.com/videos", Err(SignedProblem::Resource)),
        ("https://www.example.com/videos/../secret", Err(SignedProblem::Resource)),
        ("https://www.example.com/videos/%2e%2e/secret", Err(SignedProblem::Resource)),
        ("https://www.example.com/videos/..%2Fsecret", Err(SignedProblem::Resource)),
        ("https://www.example.com/videos/..%5csecret", Err(SignedProblem::Resource)),
        ("https://www.example.com/videos/x/..;/..%2Fsecret", Err(SignedProblem::Resource)),
        ("https://www.example.com/videos/..%2F..%2Fsecret", Err(SignedProblem::Resource)),
        ("https://www.example.com/videos/a%2Fb", Ok(())),
        ("https://www.example.com.evil/videos/a", Err(SignedProblem::Resource)),
        ("http://www.example.com/videos/a", Err(SignedProblem::Resource)),
    ] {
        assert_eq!(check(&videos.url(address)), expected, "{address}");
    }
    // A policy is base64 in one form only, and one JSON only.
    let url = videos.url("https://www.example.com/videos/a");
    let policy = url.split("Policy=").nth(1).unwrap().split('&').next().unwrap();
    for other in [
        policy.replace('_', ""),
        policy.replace('_', "="),
        policy.replace('_', "%3D"),
        format!("{policy}_"),
        format!("{policy}\u{20}").replace(' ', "%20"),
        format!("e30_{policy}"),
    ] {
        if other != policy {
            assert!(check(&url.replace(policy, &other)).is_err(), "{other}");
        }
    }
    let huge = "A".repeat(64 * 1024);
    assert!(check(&url.replace(policy, &huge)).is_err());
}

#[test]
fn a_signed_url_beats_cookies_and_what_was_signed_with_goes() {
    let signed = signer(RSA).canned(ADDRESS, NOW + 60).unwrap();
    let cookies = signed.cookies();
    let mut asked = request(ADDRESS, &cookies, "192.0.2.7").unwrap();
    asked.headers.append(header::COOKIE, HeaderValue::from_static("session=1; CloudFront-Unknown=2"));
    assert_eq!(signers().check(&asked, NOW), Ok(()));
    asked.query = Some(format!("{}&Expires=1&Signature=AAAA&Key-Pair-Id=KRSA", asked.query.unwrap()));
    assert_eq!(signers().check(&asked, NOW), Err(SignedProblem::Signature));
    Signers::remove(&mut asked);
    assert_eq!(asked.query.as_deref(), Some("size=large"));
    let left: Vec<_> = asked.headers.get_all(header::COOKIE).iter().collect();
    assert_eq!(left, ["session=1; CloudFront-Unknown=2"]);
}

/// What an address means once it is let in: what is routed, keyed and sent on.
fn meaning(request: &Received) -> (String, String, String, Option<String>) {
    let mut query = request.query.clone();
    places::remove_parameters(&mut query, |name| PARAMETERS.contains(&name));
    (request.scheme.as_str().to_owned(), request.host.authority(), request.path.clone(), query)
}

/// One change of a text: bytes replaced, put in, taken out or repeated; whole parameters, and odd spellings.
fn mutated(url: &str, kind: u8, at: usize, with: &str) -> String {
    let at = at % url.len();
    let end = (at + 1 + with.len() % 7).min(url.len());
    let parameter = url.split(['?', '&']).nth(at % 6).unwrap_or_default();
    match kind {
        0 => format!("{}{with}{}", &url[..at], &url[at..]),
        1 => format!("{}{with}{}", &url[..at], &url[end..]),
        2 => format!("{}{}", &url[..at], &url[end..]),
        3 => format!("{}{}{}", &url[..end], &url[at..end], &url[end..]),
        4 => format!("{url}&{parameter}"),
        5 => url.replacen(&format!("&{parameter}"), "", 1),
        6 => format!("{}%{:02x}{}", &url[..at], url.as_bytes()[at], &url[at + 1..]),
        7 => format!("{}{}{}", &url[..at], url[at..end].to_uppercase(), &url[end..]),
        8 => url.replacen('/', with, at % 5),
        _ => format!("{url}{with}"),
    }
}

#[expect(clippy::too_many_lines, reason = "one property with all the ways to change a request")]
fn no_mutation_is_accepted_with_another_meaning(cases: u32) {
    let signers = signers();
    let custom = Restrictions {
        resource: "https://www.example.com/a/*\\?size=*".to_owned(),
        before: NOW + 60,
        after: None,
        network: None,
    };
    let policy = signer(P256).custom(&custom).unwrap();
    let originals = [signer(P256).canned(ADDRESS, NOW + 60).unwrap().url(ADDRESS), policy.url(ADDRESS)];
    let odd = prop::sample::select(vec![
        "/",
        "..",
        "%2F",
        "%2e",
        "?",
        "&",
        "=",
        "*",
        "\\",
        ";",
        "#",
        "%",
        "+",
        "~",
        "_",
        "-",
        ":443",
        "@",
        "//",
        "&Expires=9999999999",
        "&Policy=e30_",
        "%00",
        "=a",
        "0",
        "A",
    ]);
    let change = (0_u8..10, any::<usize>(), prop_oneof![odd.prop_map(str::to_owned), "[!-~]{1,4}"]);
    let strategy = (0_usize..2, prop::collection::vec(change, 1..4));
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    let accepted = std::cell::Cell::new(0);
    let result = TestRunner::new(config).run(&strategy, |(which, changes)| {
        let original = &originals[which];
        let mut url = original.clone();
        for (kind, at, with) in &changes {
            url = mutated(&url, *kind, *at, with);
        }
        let viewer = "192.0.2.7";
        // Not an address, or one that the gate refuses.
        let Some(asked) = request(&url, &[], viewer) else { return Ok(()) };
        if signers.check(&asked, NOW).is_ok() {
            accepted.set(accepted.get() + 1);
            let (found, before) = (meaning(&asked), meaning(&request(original, &[], viewer).unwrap()));
            if which == 0 {
                prop_assert_eq!(found, before, "{}", url);
            } else {
                let (scheme, authority, path, query) = found;
                prop_assert_eq!((scheme, authority), (before.0, before.1), "{}", &url);
                prop_assert!(path.starts_with("/a/"), "{}", &url);
                prop_assert!(
                    !matches!(gate::loosened(&path), gate::Loosened::Other(p) if !p.starts_with("/a/")),
                    "{}",
                    &url
                );
                prop_assert!(query.is_some_and(|query| query.starts_with("size=")), "{}", &url);
            }
        }
        Ok(())
    });
    result.unwrap();
    assert!(accepted.get() > 0, "some changes are none, such as another order");
    println!("{cases} mutations, {} of them of the same meaning", accepted.get());
}

#[test]
fn u01_no_mutation_is_accepted_with_another_meaning() {
    no_mutation_is_accepted_with_another_meaning(3_000);
}

/// The long run: `cargo test -p edgehook --lib --release u01_ -- --ignored --nocapture`.
#[test]
#[ignore = "takes a minute without optimisation"]
fn u01_a_hundred_thousand_mutations() {
    no_mutation_is_accepted_with_another_meaning(100_000);
}
