//! The figures of files, for `/metrics`: read when they are asked for.

use super::Files;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;
use std::fmt;
use std::sync::Arc;

/// Reads the figures of files.
#[derive(Debug)]
struct FileFigures(Arc<Files>);

impl Files {
    /// Adds the figures of files to a registry.
    pub(crate) fn register(self: &Arc<Self>, registry: &mut Registry) {
        registry.register_collector(Box::new(FileFigures(Arc::clone(self))));
    }
}

impl Collector for FileFigures {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        let files = &self.0;
        let room = files.blocks.room();
        let running = files.transfers.count() as i64;
        let mut gauges = vec![
            ("files_bytes", "Bytes of the blocks of files", room.used.cast_signed()),
            ("transfers", "Files that are being fetched whole", running),
        ];
        if let Some(most) = room.bytes_max {
            let help = "Bytes that the blocks of files may take";
            gauges.push(("files_max_bytes", help, i64::try_from(most).unwrap_or(i64::MAX)));
        }
        for (name, help, value) in gauges {
            let gauge = ConstGauge::new(value);
            gauge.encode(encoder.encode_descriptor(name, help, None, gauge.metric_type())?)?;
        }
        let fetched = ConstCounter::new(files.transfers.fetched_bytes());
        let help = "Bytes of files that were fetched whole from peers";
        let name = "transfers_received_bytes";
        fetched.encode(encoder.encode_descriptor(name, help, None, fetched.metric_type())?)?;
        let mut pins = encoder.encode_descriptor(
            "pins",
            "What is kept, by who pinned it and how far it is here",
            None,
            MetricType::Gauge,
        )?;
        // A database that cannot be read is said where it is used.
        let counts = files.blocks.pin_counts().unwrap_or_default();
        for (by, counts) in ["user", "replica"].into_iter().zip(counts) {
            for (state, count) in ["fetching", "here", "absent", "skipped"].into_iter().zip(counts)
            {
                let gauge = ConstGauge::new(count.cast_signed());
                gauge.encode(pins.encode_family(&[("by", by), ("state", state)])?)?;
            }
        }
        Ok(())
    }
}
