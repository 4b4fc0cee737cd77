//! `[access_log]`: where a line about every request goes, and how it is written.

use std::path::PathBuf;

use crate::section::Section;

/// A log with one line per request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessLog {
    /// Where it goes.
    pub target: LogTarget,
    /// How lines are written.
    pub format: LogFormat,
}

/// Where the access log goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogTarget {
    /// Standard output.
    Stdout,
    /// The end of a file, absolute path.
    File(PathBuf),
}

/// How the access log's lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object a line, with CloudFront's field names.
    Json,
    /// CloudFront's standard format: the W3C extended format with 33 fields between tabs.
    CloudFront,
}

pub(crate) fn read(section: &Section<'_>) -> Option<AccessLog> {
    let words = [("json", LogFormat::Json), ("cloudfront", LogFormat::CloudFront)];
    let format = section.choice("format", &words, &[]).unwrap_or(LogFormat::Json);
    let written = section.required("file", "file = \"log/access.log\", or \"-\" for standard output")?;
    let text = written.text()?;
    let target = match text.value.as_str() {
        "-" => LogTarget::Stdout,
        _ => LogTarget::File(section.cx.path(&text)?),
    };
    Some(AccessLog { target, format })
}
