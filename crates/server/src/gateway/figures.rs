//! The gateway's figures, shown with the node's in `/metrics` of the API.

use std::time::Duration;

use axum::http::StatusCode;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::http::metrics::{DURATION_BUCKETS_S, class_of};

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct GatewayLabels {
    format: &'static str,
    status: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FormatLabel {
    format: &'static str,
}

/// What the gateway counts. Clones share the figures.
#[derive(Clone)]
pub(crate) struct GatewayFigures {
    requests: Family<GatewayLabels, Counter>,
    durations: Family<FormatLabel, Histogram>,
}

impl Default for GatewayFigures {
    fn default() -> GatewayFigures {
        let histogram = (|| Histogram::new(DURATION_BUCKETS_S)) as fn() -> Histogram;
        GatewayFigures {
            requests: Family::default(),
            durations: Family::new_with_constructor(histogram),
        }
    }
}

impl GatewayFigures {
    /// Adds them to a registry.
    pub(crate) fn register(&self, registry: &mut Registry) {
        registry.register(
            "gateway_requests",
            "Requests answered by the gateway, by format and class of status",
            self.requests.clone(),
        );
        registry.register_with_unit(
            "gateway_request_duration",
            "Time from a request's head to the head of its answer",
            Unit::Seconds,
            self.durations.clone(),
        );
    }

    /// A request was answered.
    pub(super) fn answered(&self, format: &'static str, status: StatusCode, took: Duration) {
        let labels = GatewayLabels { format, status: class_of(status) };
        self.requests.get_or_create(&labels).inc();
        self.durations.get_or_create(&FormatLabel { format }).observe(took.as_secs_f64());
    }
}
