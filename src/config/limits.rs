//! Bounds: of requests, connections, deliveries and time.

use std::time::Duration;

use clap::{Args, value_parser};

use super::span;

/// What bounds a process.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Limits")]
pub struct LimitConfig {
    /// The time for one call, from its headers to its answer; callers may ask for less.
    #[arg(
        long,
        env = "STELLWERK_REQUEST_DEADLINE",
        value_name = "SPAN",
        default_value = "30s",
        value_parser = span,
    )]
    pub request_deadline: Duration,
    /// The largest gRPC message that is read, in bytes.
    #[arg(long, env = "STELLWERK_MAX_MESSAGE_BYTES", value_name = "BYTES", default_value_t = 4 * 1024 * 1024,
        value_parser = value_parser!(u32).range(1024..=64 * 1024 * 1024))]
    pub max_message_bytes: u32,
    /// Calls and deliveries at once, and of calls one tenant gets half; further ones are answered UNAVAILABLE /
    /// OVERLOADED, or 503.
    #[arg(long, env = "STELLWERK_MAX_CONCURRENT_REQUESTS", value_name = "COUNT", default_value_t = 1024,
        value_parser = value_parser!(u32).range(1..=1_000_000))]
    pub max_concurrent_requests: u32,
    /// Watches at once; further ones are answered UNAVAILABLE / OVERLOADED. One tenant gets half; its further
    /// ones are answered RESOURCE_EXHAUSTED / LIMIT_REACHED.
    #[arg(long, env = "STELLWERK_MAX_CONCURRENT_STREAMS", value_name = "COUNT", default_value_t = 512,
        value_parser = value_parser!(u32).range(1..=1_000_000))]
    pub max_concurrent_streams: u32,
    /// The age at which a watch ends, to be resumed by its caller.
    #[arg(
        long,
        env = "STELLWERK_MAX_STREAM_AGE",
        value_name = "SPAN",
        default_value = "1h",
        value_parser = span,
    )]
    pub max_stream_age: Duration,
    /// Open connections per listener; further ones wait until one closes.
    #[arg(long, env = "STELLWERK_MAX_CONNECTIONS", value_name = "COUNT", default_value_t = 4096,
        value_parser = value_parser!(u32).range(1..=1_000_000))]
    pub max_connections: u32,
    /// The time for the headers of a request, idle time between two requests included (HTTP/1.1).
    #[arg(
        long,
        env = "STELLWERK_HEADER_TIMEOUT",
        value_name = "SPAN",
        default_value = "20s",
        value_parser = span,
    )]
    pub header_timeout: Duration,
    /// How often an HTTP/2 connection is asked whether it lives.
    #[arg(
        long,
        env = "STELLWERK_KEEPALIVE_INTERVAL",
        value_name = "SPAN",
        default_value = "60s",
        value_parser = span,
    )]
    pub keepalive_interval: Duration,
    /// How long it has to answer that.
    #[arg(
        long,
        env = "STELLWERK_KEEPALIVE_TIMEOUT",
        value_name = "SPAN",
        default_value = "20s",
        value_parser = span,
    )]
    pub keepalive_timeout: Duration,
    /// The age at which a connection takes no further calls, so that callers spread over new instances.
    #[arg(
        long,
        env = "STELLWERK_MAX_CONNECTION_AGE",
        value_name = "SPAN",
        default_value = "30m",
        value_parser = span,
    )]
    pub max_connection_age: Duration,
    /// How long its last calls may take after that; a booking that waits for its provider takes up to 90 s.
    #[arg(
        long,
        env = "STELLWERK_MAX_CONNECTION_AGE_GRACE",
        value_name = "SPAN",
        default_value = "2m",
        value_parser = span,
    )]
    pub max_connection_age_grace: Duration,
    /// How long calls may take to finish when the process is told to stop.
    #[arg(
        long,
        env = "STELLWERK_SHUTDOWN_GRACE",
        value_name = "SPAN",
        default_value = "8s",
        value_parser = span,
    )]
    pub shutdown_grace: Duration,
    /// How long a message of the queue is left to a process that no longer says that it works on it: the time
    /// after which the others go on with what a killed one was at. Whole seconds.
    #[arg(
        long,
        env = "STELLWERK_WORKER_LEASE",
        value_name = "SPAN",
        default_value = "60s",
        value_parser = span,
    )]
    pub worker_lease: Duration,
    /// Messages of the queue that a process works on at a time. Most of that is waiting for providers; a
    /// quarter of the places is kept free of the tenant that has the most messages under way. Each may need a
    /// database connection at times.
    #[arg(long, env = "STELLWERK_WORKER_CONCURRENCY", value_name = "COUNT", default_value_t = 8,
        value_parser = value_parser!(u16).range(1..=1000))]
    pub worker_concurrency: u16,
    /// Bodies of deliveries in memory at once, in bytes, and as much for messages of calls. One address gets a
    /// quarter; further ones are answered 503, or UNAVAILABLE / OVERLOADED.
    #[arg(long, env = "STELLWERK_MAX_BODIES_BYTES", value_name = "BYTES", default_value_t = 64 * 1024 * 1024,
        value_parser = value_parser!(u32).range(4 * 1024 * 1024..))]
    pub max_bodies_bytes: u32,
    /// Deliveries per address and flood window; further ones are answered 429 unread. 0 switches this off.
    #[arg(long, env = "STELLWERK_FLOOD_LIMIT", value_name = "COUNT", default_value_t = 600)]
    pub flood_limit: u32,
    /// The window of the flood limit.
    #[arg(
        long,
        env = "STELLWERK_FLOOD_WINDOW",
        value_name = "SPAN",
        default_value = "10s",
        value_parser = span,
    )]
    pub flood_window: Duration,
}
