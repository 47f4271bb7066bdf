//! One record of the journal, one line: whatever a message holds, it cannot forge a second line or move a
//! terminal's cursor, and it has a bounded length.

use std::fmt::{self, Write};

use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use crate::limits::LOG_MESSAGE_BYTES_MAX;

/// The message of an event, then its fields as ` name=value`.
pub(crate) fn render(event: &Event<'_>) -> String {
    let mut parts = LineParts::default();
    event.record(&mut parts);
    let LineParts { message, fields } = parts;
    let mut text = message.0;
    text.push_str(if text.is_empty() { fields.0.trim_start() } else { &fields.0 });
    text
}

/// `2026-11-22T18:16:05.123456Z  INFO optimusdb::run: message name=value`.
pub(crate) struct OneLine;

impl<S, N> FormatEvent<S, N> for OneLine
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let metadata = event.metadata();
        SystemTime.format_time(&mut writer)?;
        writeln!(writer, " {:>5} {}: {}", metadata.level(), metadata.target(), render(event))
    }
}

#[derive(Default)]
struct LineParts {
    message: BoundedText,
    fields: BoundedText,
}

impl Visit for LineParts {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            self.record_debug(field, &format_args!("{value}"));
        } else {
            self.record_debug(field, &value);
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing ends with an error once the text is full, and then there is nothing more to do.
        let _full = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
    }
}

/// Text without control characters, cut at [`LOG_MESSAGE_BYTES_MAX`].
#[derive(Default)]
struct BoundedText(String);

impl Write for BoundedText {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for letter in text.chars() {
            if self.0.len() >= LOG_MESSAGE_BYTES_MAX {
                if !self.0.ends_with('…') {
                    self.0.push('…');
                }
                return Err(fmt::Error);
            }
            if letter.is_control() {
                self.0.extend(letter.escape_default());
            } else {
                self.0.push(letter);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::layer::{Context, SubscriberExt};
    use tracing_subscriber::{Layer, Registry};

    use super::*;

    struct CollectLines(Arc<Mutex<Vec<String>>>);

    impl<S: Subscriber> Layer<S> for CollectLines {
        fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
            self.0.lock().unwrap().push(render(event));
        }
    }

    fn rendered(tell: impl FnOnce()) -> Vec<String> {
        let lines = Arc::new(Mutex::new(Vec::new()));
        tracing::subscriber::with_default(
            Registry::default().with(CollectLines(lines.clone())),
            tell,
        );
        Arc::try_unwrap(lines).unwrap().into_inner().unwrap()
    }

    #[test]
    fn message_first_then_fields() {
        let lines = rendered(|| {
            tracing::info!(store = "a b", count = 3, "opened");
            tracing::info!(count = 3);
            tracing::info!(path = %"x/y", "read {}", 1);
        });
        assert_eq!(lines, ["opened store=\"a b\" count=3", "count=3", "read 1 path=x/y"]);
    }

    #[test]
    fn control_characters_are_escaped_and_length_is_bounded() {
        let lines = rendered(|| {
            tracing::info!("one\ntwo\u{1b}[31m");
            tracing::info!(name = "x\ny", text = %"p\r\nq", "m");
            tracing::info!("{}", "é".repeat(LOG_MESSAGE_BYTES_MAX));
        });
        assert_eq!(lines[0], "one\\ntwo\\u{1b}[31m");
        assert_eq!(lines[1], "m name=\"x\\ny\" text=p\\r\\nq");
        assert!(lines[2].ends_with('…') && lines[2].len() < LOG_MESSAGE_BYTES_MAX + 8);
    }
}
