//! How the OAuth routes refuse.

use axum::Json;
use axum::response::{IntoResponse, Redirect, Response};
use http::{StatusCode, header};
use serde_json::json;
use url::Url;

/// What went wrong before anybody could be sent back: shown by Asana itself, as plain text.
pub(super) struct Shown(pub(super) &'static str);

/// Sent back with a reason in the query (RFC 6749 §4.1.2.1).
pub(super) struct SentBack {
    pub(super) to: Url,
    pub(super) error: &'static str,
    pub(super) description: &'static str,
    pub(super) state: Option<String>,
}

/// Of the token endpoint (RFC 6749 §5.2).
pub(super) struct TokenRefused {
    pub(super) error: &'static str,
    pub(super) description: &'static str,
}

impl IntoResponse for Shown {
    fn into_response(self) -> Response {
        (StatusCode::BAD_REQUEST, [(header::CONTENT_TYPE, "text/plain; charset=utf-8")], self.0)
            .into_response()
    }
}

impl SentBack {
    pub(super) fn url(mut self) -> Url {
        let mut pairs = self.to.query_pairs_mut();
        pairs.append_pair("error", self.error).append_pair("error_description", self.description);
        if let Some(state) = &self.state {
            pairs.append_pair("state", state);
        }
        drop(pairs);
        self.to
    }
}

impl IntoResponse for SentBack {
    fn into_response(self) -> Response {
        Redirect::to(self.url().as_str()).into_response()
    }
}

impl IntoResponse for TokenRefused {
    fn into_response(self) -> Response {
        let status =
            if self.error == "invalid_client" { StatusCode::UNAUTHORIZED } else { StatusCode::BAD_REQUEST };
        (status, Json(json!({ "error": self.error, "error_description": self.description }))).into_response()
    }
}
