//! The figures of replication, for `/metrics`: read when they are asked for.

use super::status::Status;
use crate::stores::StoreNames;
use optimusdb_swarm::Swarm;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use std::fmt;
use std::sync::Arc;

/// Reads the figures of the swarm and of the stores.
#[derive(Debug)]
pub(super) struct ReplicationFigures {
    pub(super) swarm: Swarm,
    pub(super) status: Status,
    pub(super) names: Arc<StoreNames>,
}

impl Collector for ReplicationFigures {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        let swarm = self.swarm.figures();
        let blocks = swarm.bitswap;
        let traffic = [swarm.tcp, swarm.quic, swarm.relayed];
        let received = traffic.iter().map(|bytes| bytes.received_bytes).sum();
        let sent = traffic.iter().map(|bytes| bytes.sent_bytes).sum();
        let gauges = [
            ("peers", "Peers that are connected", swarm.peers),
            ("connections", "Connections to peers", swarm.connections),
        ];
        for (name, help, value) in gauges {
            let gauge = ConstGauge::new(value.cast_signed());
            gauge.encode(encoder.encode_descriptor(name, help, None, gauge.metric_type())?)?;
        }
        let counters = [
            ("swarm_received_bytes", "Bytes received from peers", received),
            ("swarm_sent_bytes", "Bytes sent to peers", sent),
            ("blocks_received", "Blocks fetched from peers", blocks.blocks_received),
            ("blocks_received_bytes", "Bytes of blocks fetched from peers", blocks.bytes_received),
            ("blocks_unwanted", "Blocks that came and were not waited for", blocks.blocks_unwanted),
            ("blocks_sent", "Blocks sent to peers", blocks.blocks_sent),
            ("blocks_sent_bytes", "Bytes of blocks sent to peers", blocks.bytes_sent),
            ("block_fetches_failed", "Blocks that no peer sent in time", blocks.fetches_failed),
            ("block_wants_dropped", "Wants of peers over their limit", blocks.wants_dropped),
            ("file_sessions", "Files of which something was fetched", blocks.sessions),
            ("announcements", "Announcements handed on", swarm.announcements),
            (
                "announcements_dropped",
                "Announcements dropped for lack of time",
                swarm.announcements_dropped,
            ),
            (
                "announcements_over_rate",
                "Announcements ignored, too many of one peer",
                swarm.announcements_over_rate,
            ),
            ("connections_refused", "Connections refused at the gate", swarm.connections_refused),
            ("peers_refused", "Peers sent away for their swarm or version", swarm.peers_refused),
            ("offences", "What peers did that they should not have done", swarm.offences),
            ("peers_banned", "Peers banned for what they did", swarm.peers_banned),
        ];
        for (name, help, value) in counters {
            let counter = ConstCounter::new(value);
            counter.encode(encoder.encode_descriptor(
                name,
                help,
                None,
                counter.metric_type(),
            )?)?;
        }
        let mut behind = encoder.encode_descriptor(
            "store_behind_entries",
            "Entries of peers that a store is known to lack",
            None,
            prometheus_client::metrics::MetricType::Gauge,
        )?;
        for (name, store) in self.names.all() {
            if let Some(entries) = self.status.behind(&store.address) {
                let gauge = ConstGauge::new(entries.cast_signed());
                gauge.encode(behind.encode_family(&[("store", name)])?)?;
            }
        }
        Ok(())
    }
}
