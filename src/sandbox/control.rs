//! What the doubles' control surfaces say when something did not work.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Serialize;
use serde_json::{Value, json};

pub(crate) type Body<T> = Result<Json<T>, JsonRejection>;
pub(crate) type Optional<T> = Result<Option<Json<T>>, JsonRejection>;
pub(crate) type Answered<T> = Result<Json<T>, Refused>;

/// What a person at a control surface reads when something did not work.
pub(crate) enum Refused {
    /// By the double, with its own words.
    Double(StatusCode, String),
    Body(JsonRejection),
    Missing(&'static str),
    NoRoute,
}

impl From<JsonRejection> for Refused {
    fn from(rejection: JsonRejection) -> Self {
        Self::Body(rejection)
    }
}

/// The body of every refusal.
#[derive(Serialize)]
struct Problem {
    error: String,
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let (status, error) = match self {
            Self::Double(status, error) => (status, error),
            Self::Body(rejection) => (rejection.status(), rejection.body_text()),
            Self::Missing(field) => (StatusCode::UNPROCESSABLE_ENTITY, format!("`{field}` is missing")),
            Self::NoRoute => (StatusCode::NOT_FOUND, "no such route; GET / shows them".to_owned()),
        };
        (status, Json(Problem { error })).into_response()
    }
}

/// Nothing is left to say.
pub(crate) fn done() -> Json<Value> {
    Json(json!({}))
}
