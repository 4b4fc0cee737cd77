//! `edgehook sign`: a signed URL, or cookies, that a key group of the configuration accepts.

use super::{Exit, find_config, load_config, output::Output, picker::Candidates};
use crate::{
    app,
    auth::signed::{Address, Restrictions, Signed, Signer, Signers},
    gate,
};
use clap::Args;
use edgehook_config::{Config, KeyGroup, Mode};
use ipnet::IpNet;
use serde_json::json;
use std::{net::IpAddr, path::PathBuf};

#[derive(Debug, Args)]
pub(super) struct SignArguments {
    /// The address to sign.
    url: String,
    /// The key group that is to accept it.
    #[arg(long, value_name = "NAME")]
    key_group: Option<String>,
    /// PEM file with the private half of one of the group's keys.
    #[arg(long, value_name = "FILE")]
    private_key: PathBuf,
    /// The key's id [default: found out]
    #[arg(long, value_name = "ID")]
    key_id: Option<String>,
    /// When it ends: from now, such as 30m or 12h, or in seconds since 1970.
    #[arg(long, value_name = "WHEN", default_value = "1h")]
    expires: String,
    /// When it begins, likewise.
    #[arg(long, value_name = "WHEN")]
    starts: Option<String>,
    /// The network that viewers must come from.
    #[arg(long, value_name = "CIDR")]
    ip: Option<String>,
    /// Addresses with wildcards, in place of the one address: https://www.example.com/videos/*
    #[arg(long, value_name = "PATTERN")]
    resource: Option<String>,
    /// Print Set-Cookie lines in place of the URL.
    #[arg(long)]
    cookies: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    config: super::ConfigArgument,
}

pub(super) fn run(arguments: &SignArguments, output: &Output) -> Exit {
    let file = match find_config(arguments.config.config.as_deref()) {
        Ok(file) => file,
        Err(none) => return none.report(output),
    };
    let Some(loaded) = load_config(&file, Mode::Check, output) else { return Exit::Invalid };
    match sign(arguments, &loaded.config, output) {
        Ok(text) => {
            output.result(&if arguments.json { as_json(&text, arguments.cookies) } else { text });
            Exit::Done
        }
        Err(problem) => {
            output.error(&problem);
            Exit::Invalid
        }
    }
}

/// The URL, or the lines of cookies without the name of the field.
fn as_json(text: &str, cookies: bool) -> String {
    if !cookies {
        return json!({ "schema": 1, "url": text }).to_string();
    }
    let lines: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("Set-Cookie: ")).collect();
    json!({ "schema": 1, "set_cookie": lines }).to_string()
}

fn sign(arguments: &SignArguments, config: &Config, output: &Output) -> Result<String, String> {
    let address = gate::address(&arguments.url)
        .ok_or("sign takes an address such as https://www.example.com/path, without the parameters of a signature")?;
    let group = group_of(arguments, config, output)?;
    let signers = app::signers(std::slice::from_ref(&group.name), config).map_err(|error| error.to_string())?;
    let pem = std::fs::read(&arguments.private_key)
        .map_err(|error| format!("{}: {error}", arguments.private_key.display()))?;
    let ids = group.keys.keys().filter(|id| arguments.key_id.as_ref().is_none_or(|wanted| wanted == *id));
    for id in ids {
        let signer =
            Signer::from_pem(id, &pem).map_err(|error| format!("{}: {error}", arguments.private_key.display()))?;
        if fits(&signer, &signers) {
            let signed = make(arguments, &signer, &address)?;
            return Ok(if arguments.cookies { cookies(&signed, &address) } else { signed.url(&address) });
        }
    }
    Err(format!("{} belongs to no key of [key_group.{}]", arguments.private_key.display(), group.name))
}

/// The key group that is meant.
fn group_of<'c>(arguments: &SignArguments, config: &'c Config, output: &Output) -> Result<&'c KeyGroup, String> {
    let problem = match &arguments.key_group {
        Some(name) => match config.key_groups.get(name) {
            Some(found) => return Ok(found),
            None => format!("there is no key group {name:?}"),
        },
        None => "say which with --key-group".to_owned(),
    };
    let names: Vec<&str> = config.key_groups.keys().map(String::as_str).collect();
    let name = Candidates { plural: "key groups", names: &names }.pick(&problem, !arguments.json, output)?;
    Ok(&config.key_groups[name])
}

/// Whether a signature of this key is accepted: found out by making one.
fn fits(signer: &Signer, signers: &Signers) -> bool {
    let address = Address { scheme: "https", authority: "probe.invalid", path: "/", query: None };
    signer.canned(&address.to_text(), 1).is_ok_and(|signed| signers.accepts(address, &signed))
}

fn make(arguments: &SignArguments, signer: &Signer, address: &str) -> Result<Signed, String> {
    let now = super::seconds_since_1970();
    let before = moment(&arguments.expires, now)?;
    let after = arguments.starts.as_deref().map(|when| moment(when, now)).transpose()?;
    let network = arguments.ip.as_deref().map(network).transpose()?;
    let signed = if after.is_none() && network.is_none() && arguments.resource.is_none() {
        signer.canned(address, before)
    } else {
        let plain = || address.replace('?', "\\?");
        let resource = arguments.resource.clone().unwrap_or_else(plain);
        signer.custom(&Restrictions { resource, before, after, network })
    };
    signed.map_err(|error| error.to_string())
}

fn cookies(signed: &Signed, address: &str) -> String {
    let secure = if address.starts_with("https:") { "; Secure" } else { "" };
    let line = |(name, value): &(String, &str)| format!("Set-Cookie: {name}={value}; Path=/{secure}; HttpOnly");
    signed.cookies().iter().map(line).collect::<Vec<_>>().join("\n")
}

/// Seconds since 1970: as such where it is that many, else from now.
fn moment(text: &str, now: u64) -> Result<u64, String> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let factor = match unit {
        "" | "s" => Some(1),
        "m" => Some(60),
        "h" => Some(3600),
        "d" => Some(86_400),
        _ => None,
    };
    let moment = number.parse::<u64>().ok().zip(factor).and_then(|(number, factor)| {
        // A billion seconds ago it was 1994; nobody means that many from now.
        if unit.is_empty() && number >= 1_000_000_000 {
            Some(number)
        } else {
            number.checked_mul(factor)?.checked_add(now)
        }
    });
    moment.ok_or_else(|| format!("{text:?} is no time; write 30m, 12h, 7d, or seconds since 1970"))
}

fn network(text: &str) -> Result<IpNet, String> {
    let network = text.parse::<IpNet>().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from));
    network.ok_or_else(|| format!("{text:?} is no network such as 192.0.2.0/24"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments() {
        for (text, expected) in [
            ("30m", Some(2800)),
            ("60", Some(1060)),
            ("1d", Some(87_400)),
            ("999999999", Some(1_000_000_999)),
            ("1000000000", Some(1_000_000_000)),
            ("", None),
            ("m", None),
            ("-1", None),
            ("1w", None),
            ("99999999999999999999", None),
            ("9999999999999999999d", None),
        ] {
            assert_eq!(moment(text, 1000).ok(), expected, "{text}");
        }
    }
}
