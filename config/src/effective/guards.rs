//! Who is let in: `[authorizer.NAME]`, `[key_group.NAME]`, and what behaviors ask for.

use super::node::{Node, Table, list, path};
use crate::authorizer::{ClaimMatcher, Comparison, KeySource, TokenPlace};
use crate::{Admission, Authorizer, Authorizers, KeyGroup, RateLimit, RatePer};

pub(super) fn key_group(group: &KeyGroup) -> Table {
    let mut keys = Table::default();
    group.keys.iter().for_each(|(id, file)| keys.put(id, path(file)));
    Table::default().with("keys", keys)
}

pub(super) fn authorizer(authorizer: &Authorizer) -> Table {
    let (key, source) = match &authorizer.keys {
        KeySource::JwksUrl(url) => {
            ("jwks", Node::Text(format!("{}://{}{}", url.scheme.as_str(), url.address, url.target)))
        }
        KeySource::JwksFile(file) => ("jwks", path(file)),
        KeySource::PublicKey(file) => ("public_key", path(file)),
        KeySource::Secret(secret) => ("secret", secret.into()),
    };
    let refresh = matches!(authorizer.keys, KeySource::JwksUrl(_)).then(|| {
        Table::default()
            .with("every", authorizer.refresh.every)
            .with("on_unknown_kid", authorizer.refresh.on_unknown_kid)
            .with("min_interval", authorizer.refresh.min_interval)
            .with("keep_stale", authorizer.refresh.keep_stale)
    });
    let places = authorizer.token.iter().map(|place| match place {
        TokenPlace::Header(name) => format!("header:{name}"),
        TokenPlace::Cookie(name) => format!("cookie:{name}"),
        TokenPlace::Query(name) => format!("query:{name}"),
    });
    let (mut require, mut headers) = (Table::default(), Table::default());
    authorizer.require.iter().for_each(|(claim, wanted)| require.put(claim, matcher(wanted)));
    authorizer.claims_to_headers.iter().for_each(|(claim, name)| headers.put(claim, name));
    let written = |names: &Vec<String>| if names.is_empty() { Node::Absent } else { list(names) };
    let mut table = Table::default()
        .with(key, source)
        .with("algorithms", list(authorizer.algorithms.iter().map(|it| it.as_str())))
        .with("issuer", written(&authorizer.issuers))
        .with("audience", written(&authorizer.audiences))
        .with("typ", authorizer.typ.as_ref())
        .with("token", list(places))
        .with("forward_token", authorizer.forward_token)
        .with("scopes", &authorizer.scopes)
        .with("leeway", authorizer.leeway)
        .with("refresh", refresh)
        .with("redirect", authorizer.redirect.as_ref());
    table.filled("require", require);
    table.filled("claims_to_headers", headers);
    table
}

fn matcher(matcher: &ClaimMatcher) -> Node {
    match matcher {
        ClaimMatcher::Equals(value) => value.into(),
        ClaimMatcher::Compares(comparison, number) => {
            let sign = match comparison {
                Comparison::Less => "<",
                Comparison::AtMost => "<=",
                Comparison::More => ">",
                Comparison::AtLeast => ">=",
            };
            Node::Text(format!("{sign} {number}"))
        }
        ClaimMatcher::In(values) => {
            Table::default().with("in", Node::List(values.iter().map(Node::from).collect())).into()
        }
        ClaimMatcher::Matches(pattern) => Table::default().with("matches", pattern).into(),
        ClaimMatcher::Contains(part) => Table::default().with("contains", part).into(),
        ClaimMatcher::Absent => Table::default().with("absent", true).into(),
    }
}

pub(super) fn admission(table: Table, admission: &Admission) -> Table {
    let authorizer = admission.authorizers.as_ref().map(|authorizers| match authorizers {
        Authorizers::Any(names) => match &names[..] {
            [one] => Node::from(one),
            names => Table::default().with("any", list(names)).into(),
        },
        Authorizers::All(names) => Table::default().with("all", list(names)).into(),
    });
    let groups = &admission.trusted_key_groups;
    table
        .with("allow", (!admission.allow.is_empty()).then(|| list(&admission.allow)))
        .with("deny", (!admission.deny.is_empty()).then(|| list(&admission.deny)))
        .with("authorizer", authorizer)
        .with("trusted_key_groups", (!groups.is_empty()).then_some(groups))
        .with("basic_auth", admission.basic_auth.as_deref().map(path))
        .with("rate_limit", admission.rate_limit.as_ref().map(rate_limit))
}

fn rate_limit(limit: &RateLimit) -> Table {
    let per = match &limit.per {
        RatePer::Address => "address".to_owned(),
        RatePer::Header(name) => format!("header:{name}"),
        RatePer::Claim(name) => format!("claim:{name}"),
    };
    let unit = match limit.period.as_secs() {
        1 => "s",
        60 => "m",
        _ => "h",
    };
    Table::default().with("per", per).with("rate", format!("{}/{unit}", limit.count)).with("burst", limit.burst)
}
