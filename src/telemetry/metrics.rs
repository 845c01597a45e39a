//! The names of all metrics, and the recorder behind them.
//!
//! Labels hold only what is in the code: rpc names, status codes, provider keys, message kinds, outcomes.
//! Never a tenant, an endpoint or an id: each value of a label is a time series that lasts as long as the
//! process.

use std::{sync::OnceLock, thread, time::Duration};

use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

/// Histogram, seconds, by `rpc` (`stellwerk.v1.PatientService/GetPatient`) and `code` (`OK`, `NOT_FOUND` …):
/// from the request's headers to the end of a unary answer, or to the first message of a stream.
pub const RPC_DURATION: &str = "stellwerk_rpc_duration_seconds";

/// Counter by `provider` and `outcome`: the status of the kept event (`success`, `duplicate` …) or, where
/// none was kept, why (`bad_signature`, `unknown_endpoint`, `too_large`, `rate_limited`, `unavailable`).
pub const WEBHOOK_DELIVERIES: &str = "stellwerk_webhook_deliveries_total";

/// Histogram, seconds, by `provider`: from the first byte of a delivery to its answer.
pub const WEBHOOK_DURATION: &str = "stellwerk_webhook_duration_seconds";

/// Gauge by `kind`: outbox messages that are neither settled nor dead.
pub const OUTBOX_DEPTH: &str = "stellwerk_outbox_depth";

/// Gauge, seconds, by `kind`: how long the oldest message has been waiting; 0 if none waits.
pub const OUTBOX_OLDEST_AGE: &str = "stellwerk_outbox_oldest_age_seconds";

/// Counter by `kind` and `outcome` (`done`, `retry`, `release`, `dead`, `lease_lost`).
pub const OUTBOX_SETTLED: &str = "stellwerk_outbox_settled_total";

/// Gauge by `kind`: outbox messages that were given up and wait for somebody to requeue them.
pub const DEAD_LETTERS: &str = "stellwerk_dead_letters";

/// Histogram, seconds, by `provider` and `kind` (`create`, `reschedule`, `cancel`): from the commit of a
/// change to the provider's answer that it is true there.
pub const PUSH_LATENCY: &str = "stellwerk_push_latency_seconds";

/// Counter by `provider` and `status` (`OK`, or the code of a failure as `SLOT_TAKEN`,
/// `OUTCOME_UNKNOWN`): calls of providers' APIs.
pub const PROVIDER_CALLS: &str = "stellwerk_provider_calls_total";

/// Counter by `provider` and `outcome` (`OK`, or the code of a failure as `GRANT_REFUSED`): access tokens
/// asked for ahead of expiry or after a refusal.
pub const TOKEN_REFRESHES: &str = "stellwerk_token_refreshes_total";

/// Gauge by `provider` and `state` (`closed`, `open`, `half_open`):
/// integrations whose breaker stands like this.
pub const BREAKERS: &str = "stellwerk_breakers";

/// Gauge by `provider` and `outcome` (`success`, `failure`): writes and runs of the last 24 hours that ended,
/// or were given up.
pub const SYNC_OUTCOMES: &str = "stellwerk_sync_outcomes";

/// Gauge by `provider`, from 0 to 1: the share of the writes and runs of the last 24 hours that succeeded;
/// 1 if there was none.
pub const SYNC_SUCCESS: &str = "stellwerk_sync_success_ratio";

/// Gauge, seconds, by `provider`: the age of what was read longest ago of all integrations.
pub const FRESHNESS: &str = "stellwerk_freshness_seconds";

/// Gauge by `kind`: review items that wait for a person's decision.
pub const REVIEW_ITEMS: &str = "stellwerk_review_items";

/// Counter by `provider`: bookings that had changed at the provider without a webhook that told it.
pub const RECONCILED: &str = "stellwerk_reconciled_total";

/// Gauge by `state` (`idle`, `busy`, `waiting`): connections of the pool, and callers waiting for one.
pub const DB_POOL_CONNECTIONS: &str = "stellwerk_db_pool_connections";

/// Gauge: calls under way in this process whose callers are known, watches left aside.
pub const OPEN_CALLS: &str = "stellwerk_open_calls";

/// Gauge: calls of this process that go on, as watches do.
pub const OPEN_STREAMS: &str = "stellwerk_open_streams";

/// Upper bounds in seconds of every histogram named `…_seconds`: a point read takes a millisecond or two,
/// and no deadline is longer than 30 s.
const SECONDS: [f64; 14] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.35, 0.5, 1.0, 2.5, 10.0, 30.0];

/// How often samples are folded into their buckets when nobody scrapes.
const UPKEEP: Duration = Duration::from_secs(5);

/// Installs the process's one metrics recorder and returns the handle that renders it.
///
/// Later calls return the same handle. There is no listener here: the server decides where it is shown.
pub fn install_metrics() -> PrometheusHandle {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    HANDLE.get_or_init(install).clone()
}

fn install() -> PrometheusHandle {
    #[expect(clippy::expect_used, reason = "it refuses only an empty list of buckets")]
    let builder = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)
        .expect("a list of buckets that is not empty");
    let recorder = builder.build_recorder();
    let handle = recorder.handle();
    if metrics::set_global_recorder(recorder).is_err() {
        tracing::error!("another metrics recorder is installed; /metrics will stay empty");
    }
    describe();
    keep_up(handle.clone());
    handle
}

/// Samples wait in a list until they are rendered or folded; without this a server that nobody scrapes
/// would grow without bound.
fn keep_up(handle: PrometheusHandle) {
    let thread = thread::Builder::new().name("metrics-upkeep".to_owned()).spawn(move || {
        loop {
            thread::park_timeout(UPKEEP);
            handle.run_upkeep();
        }
    });
    if let Err(error) = thread {
        super::log_error("metrics are only folded when they are scraped", &error);
    }
}

fn describe() {
    describe_histogram!(RPC_DURATION, Unit::Seconds, "Time to answer an rpc, by rpc and status code");
    describe_counter!(WEBHOOK_DELIVERIES, "Webhook deliveries, by provider and outcome");
    describe_histogram!(WEBHOOK_DURATION, Unit::Seconds, "Time to answer a webhook delivery, by provider");
    describe_gauge!(OUTBOX_DEPTH, "Outbox messages that wait or run, by kind");
    describe_gauge!(OUTBOX_OLDEST_AGE, Unit::Seconds, "Age of the oldest due outbox message, by kind");
    describe_counter!(OUTBOX_SETTLED, "Outbox messages settled, by kind and outcome");
    describe_gauge!(DEAD_LETTERS, "Outbox messages given up, by kind");
    describe_histogram!(
        PUSH_LATENCY,
        Unit::Seconds,
        "Time from a change to its truth at the provider, by kind"
    );
    describe_counter!(PROVIDER_CALLS, "Calls of providers' APIs, by provider and status");
    describe_counter!(TOKEN_REFRESHES, "Access tokens asked for, by provider and outcome");
    describe_gauge!(BREAKERS, "Integrations by provider and state of their breaker");
    describe_gauge!(SYNC_OUTCOMES, "Writes and runs of 24 hours, by provider and outcome");
    describe_gauge!(SYNC_SUCCESS, "Share of the writes and runs of 24 hours that succeeded, by provider");
    describe_gauge!(FRESHNESS, Unit::Seconds, "Age of what was read longest ago, by provider");
    describe_gauge!(REVIEW_ITEMS, "Review items that wait, by kind");
    describe_counter!(RECONCILED, "Bookings repaired by a look at the provider, by provider");
    describe_gauge!(DB_POOL_CONNECTIONS, "Database connections of the pool, by state");
    describe_gauge!(OPEN_CALLS, "Calls under way whose callers are known");
    describe_gauge!(OPEN_STREAMS, "Watches and other calls that go on");
}

#[cfg(test)]
mod tests {
    use metrics::{counter, gauge, histogram};

    use super::*;

    #[test]
    fn a_second_call_returns_the_recorder_of_the_first() {
        let first = install_metrics();
        let second = install_metrics();

        counter!(WEBHOOK_DELIVERIES, "provider" => "twice", "outcome" => "success").increment(3);

        let line = r#"stellwerk_webhook_deliveries_total{provider="twice",outcome="success"} 3"#;
        assert!(first.render().contains(line), "{}", first.render());
        assert!(second.render().contains(line), "{}", second.render());
    }

    #[test]
    fn durations_are_histograms_with_our_buckets_and_ages_stay_gauges() {
        let handle = install_metrics();

        histogram!(RPC_DURATION, "rpc" => "Test/Buckets", "code" => "OK").record(0.15);
        gauge!(OUTBOX_OLDEST_AGE, "kind" => "buckets").set(7.5);
        let text = handle.render();

        let bucket = |le: &str| {
            format!(r#"stellwerk_rpc_duration_seconds_bucket{{rpc="Test/Buckets",code="OK",le="{le}"}}"#)
        };
        assert!(text.contains(&format!("{} 0\n", bucket("0.1"))), "{text}");
        assert!(text.contains(&format!("{} 1\n", bucket("0.2"))), "{text}");
        assert!(text.contains(r#"stellwerk_outbox_oldest_age_seconds{kind="buckets"} 7.5"#), "{text}");
        assert!(text.contains("# HELP stellwerk_rpc_duration_seconds Time to answer"), "{text}");
    }
}
