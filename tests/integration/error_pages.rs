//! Custom error pages: which errors have one, where it comes from, and what it looks like.

use crate::harness::{Answer, Edge, Origin};

const VIEWER: &str = "function handler(event) { \
     if (event.request.uri === '/generated') { return { statusCode: 404, body: 'of the function' }; } \
     if (event.request.uri === '/broken') { throw new Error('broken'); } \
     event.request.headers['x-viewer'] = { value: '1' }; return event.request; }";

fn site() -> Origin {
    Origin::start(|seen| match seen.target.as_str() {
        "/missing" => Answer::new(404, &[("x-of", "error")], "of the origin"),
        "/gone" => Answer::new(410, &[], "gone"),
        "/bad" => Answer::new(500, &[], "stack trace"),
        "/teapot" => Answer::new(403, &[], "no"),
        _ => Answer::ok("fine"),
    })
}

fn pages() -> Origin {
    Origin::start(|seen| match seen.target.as_str() {
        "/errors/missing.html" => {
            Answer::new(200, &[("cache-control", "max-age=60"), ("content-type", "text/html")], "<h1>Not here</h1>")
        }
        "/errors/sorry.html" => Answer::cached("sorry"),
        _ => Answer::new(410, &[], "no such page"),
    })
}

fn edge(site: &str, pages: &Origin) -> Edge {
    let config = format!(
        "[origin.site]\nurl = \"{site}\"\n[origin.pages]\nurl = \"{}\"\n\
         [function.f]\nruntime = \"cloudfront-js-2.0\"\nfile = \"f.js\"\n\
         [cache_policy.p]\nttl = {{ min = \"0s\", default = \"0s\", max = \"1h\" }}\n\
         [[custom_error_response]]\ncode = 404\npage = \"/errors/missing.html\"\n\
         [[custom_error_response]]\ncode = 500\npage = \"/errors/sorry.html\"\nresponse_code = 200\n\
         [[custom_error_response]]\ncode = 502\npage = \"/errors/sorry.html\"\nresponse_code = 503\n\
         [[custom_error_response]]\ncode = 403\npage = \"/errors/nowhere.html\"\n\
         [[behavior]]\npath = \"/errors/*\"\norigin = \"pages\"\ncache_policy = \"p\"\nviewer_request = \"f\"\n\
         [[behavior]]\npath = \"/denied\"\norigin = \"site\"\ndeny = [\"127.0.0.1\"]\n\
         [[behavior]]\npath = \"*\"\norigin = \"site\"\nviewer_request = \"f\"\n",
        pages.url()
    );
    Edge::start(&config, &[("f.js", VIEWER)])
}

#[test]
fn an_origins_error_gets_its_page() {
    let (site, pages) = (site(), pages());
    let edge = edge(&site.url(), &pages);
    let reply = edge.get_with("/missing", &[("range", "bytes=0-1"), ("if-none-match", "*")]);
    assert_eq!((reply.status, reply.text().as_str(), reply.x_cache()), (404, "<h1>Not here</h1>", "Error"));
    assert_eq!((reply.header("content-type"), reply.header("x-of")), ("text/html", ""));
    let head = edge.client().request("HEAD", "/missing", &[], b"");
    assert_eq!((head.status, head.header("content-length"), head.body.len()), (404, "17", 0));
    assert_eq!(edge.client().request("POST", "/missing", &[], b"x").text(), "<h1>Not here</h1>");
    let sorry = edge.get("/bad");
    assert_eq!((sorry.status, sorry.text().as_str()), (200, "sorry"));
    let seen = pages.seen();
    assert_eq!(seen.iter().filter(|seen| seen.target == "/errors/missing.html").count(), 1, "then from the cache");
    assert!(
        seen.iter()
            .all(|seen| seen.method == "GET" && seen.header("x-viewer").is_none() && seen.header("range").is_none())
    );
}

#[test]
fn statuses_without_a_page_and_successes_are_left_alone() {
    let (site, pages) = (site(), pages());
    let edge = edge(&site.url(), &pages);
    assert_eq!((edge.get("/gone").status, edge.get("/gone").text().as_str()), (410, "gone"));
    assert_eq!(edge.get("/ok").text(), "fine");
    assert_eq!(pages.count(), 0);
}

#[test]
fn an_origin_that_is_down_has_a_page_and_the_log_knows_why() {
    let pages = pages();
    let nowhere = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let edge = edge(&format!("http://{nowhere}"), &pages);
    let reply = edge.get("/x");
    assert_eq!((reply.status, reply.text().as_str(), reply.x_cache()), (503, "sorry", "Error"));
    edge.says("origin connect");
}

#[test]
fn a_function_answers_for_itself() {
    let (site, pages) = (site(), pages());
    let edge = edge(&site.url(), &pages);
    let reply = edge.get("/generated");
    assert_eq!(
        (reply.status, reply.text().as_str(), reply.x_cache()),
        (404, "of the function", "FunctionGeneratedResponse")
    );
    assert_eq!(edge.get("/broken").status, 503);
    assert_eq!(pages.count(), 0);
}

#[test]
fn a_page_that_fails_shows_its_own_status() {
    let (site, pages) = (site(), pages());
    let edge = edge(&site.url(), &pages);
    for target in ["/teapot", "/denied"] {
        let reply = edge.get(target);
        assert_eq!((reply.status, reply.text().as_str(), reply.x_cache()), (410, "no such page", "Error"), "{target}");
    }
}

#[test]
fn what_no_request_could_mean_has_no_page() {
    let (site, pages) = (site(), pages());
    let edge = edge(&site.url(), &pages);
    let reply = edge.client().request("GET", "/x", &[("host", "a b")], b"");
    assert_eq!((reply.status, pages.count()), (400, 0));
}

#[test]
fn a_page_can_be_asked_for_itself() {
    let (site, pages) = (site(), pages());
    let edge = edge(&site.url(), &pages);
    assert_eq!((edge.get("/errors/missing.html").status, edge.get("/errors/none.html").status), (200, 410));
}

#[test]
fn an_entry_may_say_how_long_its_error_stays() {
    let site = Origin::start(|seen| match seen.target.as_str() {
        "/missing" => Answer::new(404, &[], "missing"),
        "/teapot" => Answer::new(403, &[], "no"),
        "/secret" => Answer::new(403, &[("cache-control", "no-store")], "no"),
        _ => Answer::new(500, &[], "broken"),
    });
    let config = format!(
        "[origin.site]\nurl = \"{}\"\n\
         [[custom_error_response]]\ncode = 403\nttl = \"1h\"\n[[custom_error_response]]\ncode = 404\nttl = \"0s\"\n\
         [[behavior]]\npath = \"*\"\norigin = \"site\"\n",
        site.url()
    );
    let edge = Edge::start(&config, &[]);
    let ttl = |path: &str| {
        edge.get(path);
        let again = edge.get(path);
        (again.x_cache().to_owned(), again.header("cache-status").split_once("ttl=").map(|(_, ttl)| ttl.to_owned()))
    };
    let (outcome, left) = ttl("/teapot");
    assert_eq!(outcome, "Hit");
    assert!(left.is_some_and(|left| left.starts_with("3600") || left.starts_with("359")));
    assert_eq!(ttl("/missing").0, "Miss", "its own times");
    assert_eq!(ttl("/secret").0, "Miss", "no-store wins");
    assert_eq!(ttl("/broken").0, "Hit", "ten seconds, as ever");
}
