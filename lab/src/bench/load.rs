//! The load: prepared requests sent over kept connections, and what that took.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::client::{HttpClient, command_request};
use crate::documents::{document, put_body};

/// Documents in one request of a bulk load.
pub(super) const BATCH_DOCUMENTS: u64 = 1_000;
/// A client thread only waits and copies.
const THREAD_STACK_BYTES: usize = 256 * 1024;
/// Batches of a bulk load that are built ahead of being sent.
const PREPARED_BATCHES: u64 = 16;
/// A smaller bulk load is over before anybody wonders.
const PROGRESS_DOCUMENTS_MIN: u64 = 100_000;

/// The requests that put the documents `numbers`, `per_request` in each.
pub(super) fn put_requests(numbers: Range<u64>, per_request: u64) -> Vec<Vec<u8>> {
    let starts = numbers.clone().step_by(per_request as usize);
    starts
        .map(|start| {
            let end = (start + per_request).min(numbers.end);
            let documents: Vec<String> = (start..end).map(|number| document(number, 0)).collect();
            command_request(&put_body(documents.iter().map(String::as_str)))
        })
        .collect()
}

/// Sends all `requests` from `clients` connections at once and returns how many were answered in a
/// second.
///
/// # Errors
/// When one of them is not answered with 200.
pub(super) fn requests_per_second(port: u16, clients: usize, requests: &[Vec<u8>]) -> Result<f64> {
    let next = AtomicUsize::new(0);
    let connections: Vec<HttpClient> =
        (0..clients).map(|_| HttpClient::connect(port)).collect::<Result<_>>()?;
    let started = Instant::now();
    thread::scope(|scope| {
        let mut threads = Vec::with_capacity(clients);
        for mut client in connections {
            let next = &next;
            let send = move || -> Result<()> {
                while let Some(request) = requests.get(next.fetch_add(1, Ordering::Relaxed)) {
                    client.send_ok(request)?;
                }
                Ok(())
            };
            let builder = thread::Builder::new().stack_size(THREAD_STACK_BYTES);
            threads.push(builder.spawn_scoped(scope, send)?);
        }
        for thread in threads {
            thread.join().expect("invariant: a client thread does not panic")?;
        }
        Ok(requests.len() as f64 / started.elapsed().as_secs_f64())
    })
}

/// Puts the documents `numbers` in large requests, one after the other.
///
/// # Errors
/// When one of them is not answered with 200.
pub(crate) fn fill(port: u16, numbers: Range<u64>) -> Result<()> {
    let mut client = HttpClient::connect(port)?;
    let total = numbers.end - numbers.start;
    let started = Instant::now();
    for start in numbers.clone().step_by((BATCH_DOCUMENTS * PREPARED_BATCHES) as usize) {
        let end = (start + BATCH_DOCUMENTS * PREPARED_BATCHES).min(numbers.end);
        for request in put_requests(start..end, BATCH_DOCUMENTS) {
            client.send_ok(&request)?;
        }
        if total > PROGRESS_DOCUMENTS_MIN {
            let seconds = started.elapsed().as_secs_f64();
            eprint!("\rbench: {} of {total} documents in {seconds:.0} s", end - numbers.start);
        }
    }
    if total > PROGRESS_DOCUMENTS_MIN {
        eprintln!();
    }
    Ok(())
}

/// How long each of a number of things took, one at least.
pub(crate) struct Latencies(Vec<Duration>);

impl Latencies {
    /// Sends `requests` one after the other over one connection. Each must be answered with one
    /// document at least.
    ///
    /// # Errors
    /// When one is not.
    pub(super) fn of(port: u16, requests: &[Vec<u8>]) -> Result<Latencies> {
        /// Shorter than any answer that holds a document.
        const ANSWER_BYTES_MIN: usize = 100;
        let mut client = HttpClient::connect(port)?;
        let mut taken = Vec::with_capacity(requests.len());
        for request in requests {
            let started = Instant::now();
            let bytes = client.send_ok(request)?.len();
            taken.push(started.elapsed());
            ensure!(bytes > ANSWER_BYTES_MIN, "no document in the answer");
        }
        Ok(Latencies::from(taken))
    }

    /// The time in milliseconds that `share` of them did not pass; 0.5 is the median.
    pub(crate) fn quantile_ms(&self, share: f64) -> f64 {
        let rank = (self.0.len() as f64 * share).ceil() as usize;
        let index = rank.clamp(1, self.0.len()) - 1;
        self.0[index].as_secs_f64() * 1_000.0
    }
}

impl From<Vec<Duration>> for Latencies {
    fn from(mut taken: Vec<Duration>) -> Latencies {
        taken.sort();
        Latencies(taken)
    }
}

/// The middle one of a few figures.
pub(super) fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_hold_every_document_once() {
        let requests = put_requests(5..25, 8);
        let sizes: Vec<usize> = requests
            .iter()
            .map(|request| String::from_utf8_lossy(request).matches("\"_id\"").count())
            .collect();
        assert_eq!(sizes, [8, 8, 4]);
    }

    #[test]
    fn quantiles_and_median() {
        let latencies = Latencies((1..=200).map(Duration::from_millis).collect());
        assert_eq!(latencies.quantile_ms(0.5), 100.0);
        assert_eq!(latencies.quantile_ms(0.99), 198.0);
        assert_eq!(latencies.quantile_ms(1.0), 200.0);
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
    }
}
