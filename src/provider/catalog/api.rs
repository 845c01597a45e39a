//! What a row says about asking: where, how lists go on, how much,
//! and how a provider says that it is too much.
//!
//! Read today are the address, and the limits as a budget to begin with; the rest is for adapters to come.

use super::{Pointer, UrlTemplate};

/// How a provider is asked.
#[derive(Debug, PartialEq, Eq)]
pub struct Api {
    /// Without trailing slash. OAuth placeholders may stand in it.
    pub base_url: UrlTemplate,
    pub paging: Paging,
    pub limits: &'static [Limit],
    pub throttle: Throttle,
}

/// How a list goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paging {
    /// `next` in the body is the value of `param` in the next request; absent, null or empty ends.
    Cursor { items: Pointer, next: Pointer, param: &'static str, size_param: &'static str, max_size: u32 },
    /// As `Cursor`, but what goes on is a call of its own.
    CursorCall { items: Pointer, next: Pointer, has_more: Pointer, path: &'static str },
    /// `next` in the body is the whole URL of the next request, followed verbatim on the same host only.
    Link { items: Pointer, next: Pointer, size_param: &'static str, max_size: u32 },
    /// RFC 8288: the header `Link` with `rel="next"`.
    LinkHeader { size_param: &'static str, max_size: u32 },
    /// So many are skipped.
    Offset { items: Pointer, total: Pointer, param: &'static str, size_param: &'static str, max_size: u32 },
    /// Records before the oldest id that was read.
    Before { param: &'static str, size_param: &'static str, max_size: u32 },
}

/// So many requests in so many seconds.
/// Documented numbers are where a budget begins, not what it may rely on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    pub requests: u32,
    pub seconds: u32,
    pub per: LimitScope,
}

/// Whose requests are counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LimitScope {
    /// One integration's credential.
    Token,
    /// Our client, all tenants together.
    Client,
    /// One account at the provider, whoever asks.
    Account,
}

/// How a provider says that it is asked too much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Throttle {
    pub statuses: &'static [u16],
    pub wait: Wait,
    /// Statuses which mean that only beside another sign; without it they mean what they say.
    pub ambiguous: Ambiguous,
}

/// How long to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// `Retry-After`, in seconds or as a date; so many seconds without it.
    RetryAfter { otherwise_s: u32 },
    /// `Retry-After`, else the Unix seconds of a header, else so many seconds.
    RetryAfterOrReset { header: &'static str, otherwise_s: u32 },
    /// Nothing is said: so many seconds.
    Fixed { seconds: u32 },
}

/// Statuses that have another meaning, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ambiguous {
    Nothing,
    /// 403 is throttling only with one of these texts at a place in the body.
    ForbiddenByReason {
        at: Pointer,
        reasons: &'static [&'static str],
    },
    /// 403 is throttling only with `Retry-After`, or with this header at 0.
    ForbiddenByHeader {
        remaining: &'static str,
    },
}
