//! `GET /metrics`: the node's figures and the API's own, in the text format of Prometheus.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use optimusdb_db::Node;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use super::Api;
use super::error::ApiError;

/// Upper bounds of the duration histogram's buckets, in seconds.
pub(crate) const DURATION_BUCKETS_S: [f64; 13] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];

/// All figures of the process.
pub(super) struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    durations: Family<EndpointLabels, Histogram>,
    in_flight: Gauge,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    endpoint: &'static str,
    command: &'static str,
    status: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct EndpointLabels {
    endpoint: &'static str,
    command: &'static str,
}

impl Metrics {
    /// A registry with the figures of the node, the API and the process, and those that `register` adds.
    pub(super) fn new(node: &Node, register: impl FnOnce(&mut Registry)) -> Self {
        // Figures of the process have the names that they have everywhere; ours have a prefix.
        let mut all = Registry::default();
        all.register_collector(Box::new(Process { started: Instant::now() }));
        let registry = all.sub_registry_with_prefix("optimusdb");
        node.register_metrics(registry);
        register(registry);

        let requests = Family::default();
        let durations = Family::new_with_constructor(
            (|| Histogram::new(DURATION_BUCKETS_S)) as fn() -> Histogram,
        );
        let in_flight = Gauge::default();
        registry.register(
            "http_requests",
            "Requests answered, by endpoint, command and class of status",
            requests.clone(),
        );
        registry.register_with_unit(
            "http_request_duration",
            "Time from a request's head to the head of its answer",
            Unit::Seconds,
            durations.clone(),
        );
        registry.register(
            "http_requests_in_flight",
            "Requests being carried out",
            in_flight.clone(),
        );
        Metrics { registry: all, requests, durations, in_flight }
    }

    /// Counts a request as begun.
    pub(super) fn begin(&self) -> InFlight<'_> {
        self.in_flight.inc();
        InFlight { metrics: self }
    }
}

/// A request that was begun. Dropping it without [`InFlight::end`] says that its client hung up.
pub(super) struct InFlight<'a> {
    metrics: &'a Metrics,
}

impl InFlight<'_> {
    /// Counts the request as answered.
    pub(super) fn end(
        self,
        endpoint: &'static str,
        command: &'static str,
        status: StatusCode,
        took: Duration,
    ) {
        let status = class_of(status);
        self.metrics.requests.get_or_create(&RequestLabels { endpoint, command, status }).inc();
        self.metrics
            .durations
            .get_or_create(&EndpointLabels { endpoint, command })
            .observe(took.as_secs_f64());
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.metrics.in_flight.dec();
    }
}

pub(crate) fn class_of(status: StatusCode) -> &'static str {
    match status.as_u16() {
        100..200 => "1xx",
        200..300 => "2xx",
        300..400 => "3xx",
        400..500 => "4xx",
        _ => "5xx",
    }
}

/// Figures of the process, read when asked for.
#[derive(Debug)]
struct Process {
    started: Instant,
}

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        let uptime = ConstGauge::new(self.started.elapsed().as_secs_f64());
        let seconds = Unit::Seconds;
        uptime.encode(encoder.encode_descriptor(
            "process_uptime",
            "Time since the API began to listen.",
            Some(&seconds),
            uptime.metric_type(),
        )?)?;
        if let Some(bytes) = resident_bytes() {
            let resident = ConstGauge::new(bytes);
            let help = "Memory that the process holds.";
            resident.encode(encoder.encode_descriptor(
                "process_resident_memory",
                help,
                Some(&Unit::Bytes),
                resident.metric_type(),
            )?)?;
        }
        Ok(())
    }
}

/// Resident memory, from Linux' `/proc`; elsewhere unknown.
fn resident_bytes() -> Option<i64> {
    // `status` says KiB, where the shorter `statm` counts pages of a size that it does not tell.
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: i64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib * 1024)
}

/// Answers with all figures. Scrapers that ask for OpenMetrics get that type, others plain text:
/// the lines are the same, and valid as both.
pub(super) async fn metrics(State(api): State<Arc<Api>>, headers: HeaderMap) -> Response {
    let mut text = String::new();
    if prometheus_client::encoding::text::encode(&mut text, &api.metrics.registry).is_err() {
        return ApiError::internal("the figures could not be written").into_response();
    }
    let accept =
        headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    let content_type = if accept.contains("application/openmetrics-text") {
        "application/openmetrics-text; version=1.0.0; charset=utf-8"
    } else {
        "text/plain; version=0.0.4; charset=utf-8"
    };
    ([(header::CONTENT_TYPE, HeaderValue::from_static(content_type))], text).into_response()
}
