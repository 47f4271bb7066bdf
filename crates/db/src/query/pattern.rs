//! Patterns of `$regex`: compiled once, within limits of length and memory.

use regex::{Regex, RegexBuilder};
use serde_json::Value;

use super::refusals::{invalid, wrong};
use crate::Error;
use crate::limits::{REGEX_BYTES_MAX, REGEX_COMPILED_BYTES_MAX};

/// The pattern with the flags of `$options` beside it.
pub(super) fn compile(pattern: &Value, options: Option<&Value>) -> Result<Regex, Error> {
    let Value::String(pattern) = pattern else {
        return Err(wrong("$regex", "a string", pattern));
    };
    if pattern.len() > REGEX_BYTES_MAX {
        return Err(invalid(format!(
            "a $regex is longer than {REGEX_BYTES_MAX} bytes (REGEX_BYTES_MAX)"
        )));
    }
    let mut builder = RegexBuilder::new(pattern);
    builder.size_limit(REGEX_COMPILED_BYTES_MAX).dfa_size_limit(REGEX_COMPILED_BYTES_MAX);
    match options {
        None => {}
        Some(Value::String(flags)) => {
            for flag in flags.chars() {
                match flag {
                    'i' => builder.case_insensitive(true),
                    'm' => builder.multi_line(true),
                    's' => builder.dot_matches_new_line(true),
                    'x' => builder.ignore_whitespace(true),
                    _ => {
                        return Err(invalid(format!(
                            "unknown flag '{flag}' in $options; known: i, m, s, x"
                        )));
                    }
                };
            }
        }
        Some(other) => return Err(wrong("$options", "a string of flags", other)),
    }
    builder.build().map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => invalid(format!(
            "a $regex compiles to more than {REGEX_COMPILED_BYTES_MAX} bytes \
             (REGEX_COMPILED_BYTES_MAX)"
        )),
        // The last line of a syntax error says why; those above draw the pattern.
        error => {
            let text = error.to_string();
            let last = text.lines().last().unwrap_or_default();
            let why = last.trim_start_matches("error: ");
            invalid(format!("invalid pattern in $regex: {pattern:?}: {why}"))
        }
    })
}
