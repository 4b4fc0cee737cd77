//! `edgehook jwt inspect` and `edgehook jwt mint`: why a token is refused, and tokens to test with.

use super::{Exit, find_config, load_config, output::Output, picker::Candidates};
use crate::{
    app,
    auth::{
        AuthProblem, Authorizer,
        jwt::{Algorithm, Key, Token, TokenProblem, mint},
    },
};
use clap::{Args, Subcommand};
use edgehook_config::{self as config, Config, Mode};
use serde_json::{Map, Value, json};
use std::{
    fmt::Write as _,
    fs,
    io::Read as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

#[derive(Debug, Subcommand)]
pub(super) enum JwtVerb {
    /// Check a token step by step, as an authorizer of the configuration does.
    Inspect(InspectArguments),
    /// Make a token for tests, with a key of this machine.
    Mint(MintArguments),
}

#[derive(Debug, Args)]
pub(super) struct InspectArguments {
    /// The token; `-` reads it from standard input, where no list of processes shows it.
    token: String,
    /// The authorizer [default: the only one]
    #[arg(long, value_name = "NAME")]
    authorizer: Option<String>,
    /// Judge the times for this second since 1970 [default: now]
    #[arg(long, value_name = "SECONDS")]
    at: Option<u64>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    config: super::ConfigArgument,
}

#[derive(Debug, Args)]
pub(super) struct MintArguments {
    /// The authorizer whose issuer, audience, scopes and, for HMAC, secret are used
    #[arg(long, value_name = "NAME")]
    authorizer: Option<String>,
    /// PEM file of an ECDSA private key on P-256; made, with its public key and key set beside it, if it is not there
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Key id in the header
    #[arg(long, value_name = "ID")]
    kid: Option<String>,
    /// A claim; what is JSON is taken as JSON, anything else as text
    #[arg(long = "claim", value_name = "NAME=VALUE")]
    claims: Vec<String>,
    /// Seconds until it expires
    #[arg(long, value_name = "SECONDS", default_value_t = 3600)]
    lifetime: u64,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    config: super::ConfigArgument,
}

pub(super) async fn run(verb: &JwtVerb, output: &Output) -> Exit {
    match verb {
        JwtVerb::Inspect(arguments) => inspect(arguments, output).await,
        JwtVerb::Mint(arguments) => match minted(arguments, output) {
            Ok(token) => {
                let as_json = || json!({ "schema": 1, "token": token }).to_string();
                output.result(&if arguments.json { as_json() } else { token });
                Exit::Done
            }
            Err(Some(problem)) => {
                output.error(&problem);
                Exit::Invalid
            }
            Err(None) => Exit::Invalid,
        },
    }
}

/// The authorizer that is meant.
fn chosen<'c>(
    named: Option<&str>,
    config: &'c Config,
    for_people: bool,
    output: &Output,
) -> Result<&'c config::Authorizer, String> {
    let problem = match named {
        Some(name) => match config.authorizers.get(name) {
            Some(found) => return Ok(found),
            None => format!("there is no authorizer {name:?}"),
        },
        None if config.authorizers.len() == 1 => return Ok(&config.authorizers[0]),
        None if config.authorizers.is_empty() => return Err("the configuration has no [authorizer.NAME]".to_owned()),
        None => "say which with --authorizer".to_owned(),
    };
    let names: Vec<&str> = config.authorizers.keys().map(String::as_str).collect();
    let name = Candidates { plural: "authorizers", names: &names }.pick(&problem, for_people, output)?;
    Ok(&config.authorizers[name])
}

async fn inspect(arguments: &InspectArguments, output: &Output) -> Exit {
    let file = match find_config(arguments.config.config.as_deref()) {
        Ok(file) => file,
        Err(none) => return none.report(output),
    };
    let Some(loaded) = load_config(&file, Mode::Serve, output) else { return Exit::Invalid };
    let prepared = chosen(arguments.authorizer.as_deref(), &loaded.config, !arguments.json, output)
        .and_then(|from| app::authorizer(from, &loaded.config).map_err(|error| error.to_string()))
        .and_then(|authorizer| Ok((authorizer, read(&arguments.token)?)));
    let (authorizer, token) = match prepared {
        Ok(prepared) => prepared,
        Err(problem) => {
            output.error(&problem);
            return Exit::Invalid;
        }
    };
    let now = arguments.at.unwrap_or_else(super::seconds_since_1970);
    let verdict = authorizer.verify(&token, now).await.map(drop);
    let steps = steps(&token, verdict, now);
    if arguments.json {
        output.result(&as_json(&authorizer, &steps).to_string());
    } else {
        output.result(report(&authorizer, &steps).trim_end());
    }
    if verdict.is_ok() { Exit::Done } else { Exit::No }
}

fn read(token: &str) -> Result<String, String> {
    if token != "-" {
        return Ok(token.to_owned());
    }
    let mut text = String::new();
    std::io::stdin().take(64 * 1024).read_to_string(&mut text).map_err(|error| format!("standard input: {error}"))?;
    Ok(text.trim().to_owned())
}

/// A step, what the token says about it, and why it fails there.
type Taken = (Step, String, Option<String>);

/// The steps in the order in which they are taken, up to the one that the token fails.
fn steps(token: &str, verdict: Result<(), AuthProblem>, now: u64) -> Vec<Taken> {
    let failed = match verdict {
        Ok(()) => None,
        Err(AuthProblem::Token(problem)) => Some((step(problem), problem.explanation())),
        Err(problem) => Some((Step::Key, format!("{}: the key set could not be fetched", problem.as_str()))),
    };
    let parsed = Token::parse(token).ok();
    let reached = |known: &Step| failed.as_ref().is_none_or(|(at, _)| known <= at);
    let taken = Step::ALL.into_iter().filter(reached).map(|known| {
        let detail = parsed.as_ref().map(|parsed| known.detail(parsed, now)).unwrap_or_default();
        let problem = failed.as_ref().filter(|(at, _)| *at == known).map(|(_, problem)| problem.clone());
        (known, detail, problem)
    });
    taken.collect()
}

fn report(authorizer: &Authorizer, steps: &[Taken]) -> String {
    let mut text = format!("authorizer {}\n", authorizer.name);
    for (step, detail, problem) in steps {
        let line = match problem {
            Some(problem) if detail.is_empty() => format!("  ✗ {:<10} {problem}", step.as_str()),
            Some(problem) => format!("  ✗ {:<10} {problem};{detail}", step.as_str()),
            None => format!("  ✓ {:<10}{detail}", step.as_str()),
        };
        // Writing into a String cannot fail.
        let _ = writeln!(text, "{}", line.trim_end());
    }
    let _ = writeln!(text, "{}", verdict(steps));
    text
}

fn as_json(authorizer: &Authorizer, steps: &[Taken]) -> Value {
    let step = |(step, detail, problem): &Taken| json!({ "step": step.as_str(), "passed": problem.is_none(), "detail": detail.trim(), "problem": problem });
    let shown: Vec<Value> = steps.iter().map(step).collect();
    json!({ "schema": 1, "authorizer": authorizer.name, "verdict": verdict(steps), "steps": shown })
}

fn verdict(steps: &[Taken]) -> &'static str {
    if steps.iter().any(|(_, _, problem)| problem.is_some()) { "refused" } else { "accepted" }
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Form,
    Key,
    Algorithm,
    Signature,
    Type,
    Claims,
    Times,
    Issuer,
    Audience,
    Required,
    Scopes,
}

fn step(problem: TokenProblem) -> Step {
    match problem {
        TokenProblem::TooLong | TokenProblem::Parts | TokenProblem::Base64 => Step::Form,
        TokenProblem::Header(_) | TokenProblem::Extension => Step::Form,
        TokenProblem::UnknownKey | TokenProblem::AmbiguousKey => Step::Key,
        TokenProblem::Algorithm => Step::Algorithm,
        TokenProblem::Signature => Step::Signature,
        TokenProblem::Type => Step::Type,
        TokenProblem::Missing("iss") => Step::Issuer,
        TokenProblem::Missing("aud") | TokenProblem::ClaimType("aud") => Step::Audience,
        TokenProblem::Missing("exp") | TokenProblem::ClaimType("exp" | "nbf" | "iat") => Step::Times,
        TokenProblem::Claims(_) | TokenProblem::ClaimType(_) | TokenProblem::Missing(_) => Step::Claims,
        TokenProblem::Expired | TokenProblem::NotYet | TokenProblem::Future => Step::Times,
        TokenProblem::Issuer => Step::Issuer,
        TokenProblem::Audience => Step::Audience,
        TokenProblem::Required => Step::Required,
        TokenProblem::Scope => Step::Scopes,
    }
}

impl Step {
    const ALL: [Self; 11] = [
        Self::Form,
        Self::Key,
        Self::Algorithm,
        Self::Signature,
        Self::Type,
        Self::Claims,
        Self::Times,
        Self::Issuer,
        Self::Audience,
        Self::Required,
        Self::Scopes,
    ];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Form => "form",
            Self::Key => "key",
            Self::Algorithm => "algorithm",
            Self::Signature => "signature",
            Self::Type => "type",
            Self::Claims => "claims",
            Self::Times => "times",
            Self::Issuer => "issuer",
            Self::Audience => "audience",
            Self::Required => "required",
            Self::Scopes => "scopes",
        }
    }

    /// What the token says about it.
    fn detail(self, token: &Token<'_>, now: u64) -> String {
        let claims: Map<String, Value> = serde_json::from_slice(token.payload()).unwrap_or_default();
        let shown = |name: &str| claims.get(name).map_or_else(|| "none".to_owned(), Value::to_string);
        match self {
            Self::Key => format!(" kid {}", token.kid().map_or("none".to_owned(), |kid| format!("{kid:?}"))),
            Self::Algorithm => format!(" {:?}", token.algorithm()),
            Self::Type => format!(" {}", token.typ().map_or("none".to_owned(), |typ| format!("{typ:?}"))),
            Self::Times => times(&claims, now),
            Self::Issuer => format!(" {}", shown("iss")),
            Self::Audience => format!(" {}", shown("aud")),
            Self::Form | Self::Signature | Self::Claims | Self::Required | Self::Scopes => String::new(),
        }
    }
}

/// ` exp in 59m, nbf 10s ago`.
fn times(claims: &Map<String, Value>, now: u64) -> String {
    let mut text = String::new();
    for name in ["exp", "nbf", "iat"] {
        let Some(time) = claims.get(name).and_then(Value::as_u64) else { continue };
        let comma = if text.is_empty() { "" } else { "," };
        let shown = if time >= now { format!("in {}", span(time - now)) } else { format!("{} ago", span(now - time)) };
        let _ = write!(text, "{comma} {name} {shown}");
    }
    text
}

fn span(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds}s"),
        120..7200 => format!("{}m", seconds / 60),
        7200..172_800 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// A token, or what is wrong; nothing where it has been said already.
fn minted(arguments: &MintArguments, output: &Output) -> Result<String, Option<String>> {
    let config = match (&arguments.authorizer, &arguments.config.config) {
        (None, None) => None,
        (_, named) => {
            let file = find_config(named.as_deref()).map_err(|none| {
                none.report(output);
                None
            })?;
            Some(load_config(&file, Mode::Serve, output).ok_or(None)?.config)
        }
    };
    let authorizer = match &config {
        Some(config) => Some(chosen(arguments.authorizer.as_deref(), config, !arguments.json, output)?),
        None => None,
    };
    let claims = claims(arguments, authorizer)?;
    let typ = authorizer.and_then(|authorizer| authorizer.typ.as_deref()).unwrap_or("JWT");
    let header = |algorithm: Algorithm| {
        let mut header = json!({ "alg": algorithm.as_str(), "typ": typ });
        if let Some(kid) = &arguments.kid {
            header["kid"] = kid.as_str().into();
        }
        header
    };
    if let Some(file) = &arguments.key {
        let pem = private_key(file, arguments.kid.as_deref(), output)?;
        return Ok(mint::with_p256(&pem, &header(Algorithm::ES256), &claims).map_err(|error| error.to_string())?);
    }
    let secret = authorizer.and_then(|authorizer| match &authorizer.keys {
        config::KeySource::Secret(secret) => {
            Some((Algorithm::named(authorizer.algorithms.first()?.as_str())?, secret.expose().as_bytes()))
        }
        _ => None,
    });
    let (algorithm, secret) =
        secret.ok_or_else(|| "say which key with --key FILE, or name an authorizer that has a secret".to_owned())?;
    // The key is judged as the edge judges it.
    Key::secret(None, algorithm, secret).map_err(|error| error.to_string())?;
    Ok(mint::with_secret(algorithm, secret, &header(algorithm), &claims).map_err(|error| error.to_string())?)
}

fn claims(arguments: &MintArguments, authorizer: Option<&config::Authorizer>) -> Result<Value, String> {
    let now = super::seconds_since_1970();
    let mut claims = json!({ "iat": now, "exp": now.saturating_add(arguments.lifetime), "sub": "test" });
    if let Some(authorizer) = authorizer {
        if let Some(issuer) = authorizer.issuers.first() {
            claims["iss"] = issuer.as_str().into();
        }
        if let Some(audience) = authorizer.audiences.first() {
            claims["aud"] = audience.as_str().into();
        }
        if !authorizer.scopes.is_empty() {
            claims["scope"] = authorizer.scopes.join(" ").into();
        }
    }
    for claim in &arguments.claims {
        let (name, value) = claim.split_once('=').ok_or_else(|| format!("{claim:?} is no NAME=VALUE"))?;
        claims[name] = serde_json::from_str(value).unwrap_or_else(|_| value.into());
    }
    Ok(claims)
}

/// The key in the file; a new one, readable by its owner only, if there is none.
fn private_key(file: &Path, kid: Option<&str>, output: &Output) -> Result<Vec<u8>, String> {
    let problem = |error: std::io::Error| format!("{}: {error}", file.display());
    match fs::read(file) {
        Ok(pem) => Ok(pem),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let made = mint::new_p256(kid).map_err(|error| error.to_string())?;
            let mut private =
                fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(file).map_err(problem)?;
            std::io::Write::write_all(&mut private, made.private_pem.as_bytes()).map_err(problem)?;
            let (public, set) = (with_suffix(file, ".pub.pem"), with_suffix(file, ".jwks.json"));
            fs::write(&public, made.public_pem).map_err(problem)?;
            fs::write(&set, made.key_set).map_err(problem)?;
            output.notice(&format!(
                "made {}; an authorizer takes its public half from\n  public_key = {public:?}   or   jwks = {set:?}, with algorithms = [\"ES256\"]",
                file.display(),
            ));
            Ok(made.private_pem.into_bytes())
        }
        Err(error) => Err(problem(error)),
    }
}

fn with_suffix(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
