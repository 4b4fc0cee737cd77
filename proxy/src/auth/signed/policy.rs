//! Policies of signed URLs and cookies (http-cache.md 6.6): what they permit, and when.
//!
//! Pure. Members that are not known are refused with the policy: a condition that is not understood must not be passed over.

use super::resource::{Address, Resource};
use crate::auth::json;
use ipnet::IpNet;
use serde_json::{Map, Value};
use std::net::IpAddr;

/// Longest policy, bytes of JSON.
pub(super) const POLICY_LIMIT: usize = 8 * 1024;

/// The text that a canned policy signs. `resource` holds no quote and no backslash.
pub(super) fn canned(resource: &str, expires: u64) -> String {
    format!(
        "{{\"Statement\":[{{\"Resource\":\"{resource}\",\"Condition\":{{\"DateLessThan\":{{\"AWS:EpochTime\":{expires}}}}}}}]}}"
    )
}

/// A policy that was written by its signer.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Policy {
    pub(super) resource: String,
    pub(super) conditions: Conditions,
}

/// When and from where.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Conditions {
    /// Refused from this second on.
    pub(super) before: u64,
    /// Refused up to this second.
    pub(super) after: Option<u64>,
    pub(super) network: Option<IpNet>,
}

/// Which condition is not met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unmet {
    Expired,
    NotYet,
    Network,
}

impl Conditions {
    pub(super) fn check(&self, viewer: IpAddr, now: u64) -> Result<(), Unmet> {
        if now >= self.before {
            return Err(Unmet::Expired);
        }
        if self.after.is_some_and(|after| now <= after) {
            return Err(Unmet::NotYet);
        }
        if self.network.is_some_and(|network| !network.contains(&viewer)) {
            return Err(Unmet::Network);
        }
        Ok(())
    }
}

impl Policy {
    /// Reads a policy; `None` when it is not exactly of the form.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        if text.len() > POLICY_LIMIT {
            return None;
        }
        let policy = json::parse_object(text).ok()?;
        let statements = only(&policy, "Statement")?.as_array()?;
        let [Value::Object(statement)] = &statements[..] else { return None };
        if statement.len() != 2 {
            return None;
        }
        let conditions = statement.get("Condition")?.as_object()?;
        let known = ["DateLessThan", "DateGreaterThan", "IpAddress"];
        if conditions.keys().any(|name| !known.contains(&name.as_str())) {
            return None;
        }
        let date = |name: &str| match conditions.get(name) {
            None => Some(None),
            Some(condition) => only(condition.as_object()?, "AWS:EpochTime")?.as_u64().map(Some),
        };
        let network = match conditions.get("IpAddress") {
            None => None,
            Some(condition) => Some(network(only(condition.as_object()?, "AWS:SourceIp")?.as_str()?)?),
        };
        Some(Self {
            resource: statement.get("Resource")?.as_str()?.to_owned(),
            conditions: Conditions { before: date("DateLessThan")??, after: date("DateGreaterThan")?, network },
        })
    }

    /// Whether the policy is for this address.
    pub(super) fn covers(&self, address: Address<'_>) -> bool {
        Resource::parse(&self.resource).is_some_and(|resource| resource.matches(address))
    }
}

/// The value of the only member.
fn only<'v>(members: &'v Map<String, Value>, name: &str) -> Option<&'v Value> {
    members.get(name).filter(|_| members.len() == 1)
}

/// A network, or an address alone. Bits behind the prefix are no mistake, as in CloudFront.
fn network(text: &str) -> Option<IpNet> {
    text.parse::<IpNet>().ok().map(|network| network.trunc()).or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(statement: &str) -> Option<Policy> {
        Policy::parse(format!("{{\"Statement\":[{statement}]}}").as_bytes())
    }

    const ENDS: &str = r#""DateLessThan":{"AWS:EpochTime":2000}"#;

    #[test]
    fn forms() {
        let all = format!(
            r#"{{"Resource":"*","Condition":{{{ENDS},"DateGreaterThan":{{"AWS:EpochTime":1000}},"IpAddress":{{"AWS:SourceIp":"192.0.2.7/24"}}}}}}"#
        );
        let conditions = Conditions { before: 2000, after: Some(1000), network: "192.0.2.0/24".parse().ok() };
        assert_eq!(policy(&all), Some(Policy { resource: "*".to_owned(), conditions }));
        let canned = Policy::parse(canned("https://a/x?y=1", 7).as_bytes()).unwrap();
        assert_eq!((canned.resource.as_str(), canned.conditions.before), ("https://a/x?y=1", 7));
    }

    #[test]
    fn anything_else_is_no_policy() {
        for statement in [
            "".to_owned(),
            format!(r#"{{"Condition":{{{ENDS}}}}}"#),
            r#"{"Resource":"*"}"#.to_owned(),
            r#"{"Resource":"*","Condition":{}}"#.to_owned(),
            format!(r#"{{"Resource":"*","Resource":"a","Condition":{{{ENDS}}}}}"#),
            format!(r#"{{"Resource":"*","Condition":{{{ENDS},{ENDS}}}}}"#),
            format!(r#"{{"Resource":["*"],"Condition":{{{ENDS}}}}}"#),
            format!(r#"{{"Resource":"*","Condition":{{{ENDS}}},"Effect":"Allow"}}"#),
            format!(r#"{{"Resource":"*","Condition":{{{ENDS},"StringLike":{{}}}}}}"#),
            r#"{"Resource":"*","Condition":{"DateLessThan":{"AWS:EpochTime":"2000"}}}"#.to_owned(),
            r#"{"Resource":"*","Condition":{"DateLessThan":{"AWS:EpochTime":-1}}}"#.to_owned(),
            r#"{"Resource":"*","Condition":{"DateLessThan":{"AWS:EpochTime":1.5}}}"#.to_owned(),
            r#"{"Resource":"*","Condition":{"DateLessThan":{"AWS:EpochTime":1e400}}}"#.to_owned(),
            r#"{"Resource":"*","Condition":{"DateLessThan":{"AWS:EpochTime":1,"x":2}}}"#.to_owned(),
            format!(r#"{{"Resource":"*","Condition":{{{ENDS},"IpAddress":{{"AWS:SourceIp":"x"}}}}}}"#),
            format!(r#"{{"Resource":"*","Condition":{{{ENDS},"IpAddress":{{"AWS:SourceIp":["192.0.2.0/24"]}}}}}}"#),
            format!(r#"{{"Resource":"*","Condition":{{{ENDS}}}}},{{"Resource":"*","Condition":{{{ENDS}}}}}"#),
        ] {
            assert_eq!(policy(&statement), None, "{statement}");
        }
        let long = format!(r#"{{"Resource":"{}","Condition":{{{ENDS}}}}}"#, "x".repeat(POLICY_LIMIT));
        assert_eq!(policy(&long), None);
    }

    #[test]
    fn conditions_at_their_limits() {
        let conditions = Conditions { before: 2000, after: Some(1000), network: "192.0.2.0/24".parse().ok() };
        let (inside, outside) = ("192.0.2.255".parse().unwrap(), "192.0.3.0".parse().unwrap());
        assert_eq!(conditions.check(inside, 1000), Err(Unmet::NotYet));
        assert_eq!(conditions.check(inside, 1001), Ok(()));
        assert_eq!(conditions.check(inside, 1999), Ok(()));
        assert_eq!(conditions.check(inside, 2000), Err(Unmet::Expired));
        assert_eq!(conditions.check(outside, 1500), Err(Unmet::Network));
        assert_eq!(conditions.check("2001:db8::1".parse().unwrap(), 1500), Err(Unmet::Network));
    }
}
