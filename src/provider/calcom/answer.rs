//! The success envelope: `{"status":"success","data":…}`, for lists with `pagination`.

use serde_json::Value;

use super::error::CallError;
use crate::egress::Fetched;
use crate::provider::call::Effect;
use crate::provider::fields::Fields;

pub(super) struct Answer {
    root: Value,
    effect: Effect,
}

impl Answer {
    /// Of a fetched 2xx.
    pub(super) fn read(effect: Effect, fetched: &Fetched) -> Result<Self, CallError> {
        let answer = Self { root: serde_json::from_slice(&fetched.body).unwrap_or(Value::Null), effect };
        let status = answer.root.get("status").and_then(Value::as_str);
        if status == Some("success") { Ok(answer) } else { Err(answer.unfit("status")) }
    }

    /// The error for something that should have been there.
    pub(super) fn unfit(&self, what: &'static str) -> CallError {
        CallError::UnexpectedShape { what, may_be_done: self.effect == Effect::Write }
    }

    pub(super) fn data(&self) -> Result<&Value, CallError> {
        self.root.get("data").filter(|data| !data.is_null()).ok_or_else(|| self.unfit("data"))
    }

    pub(super) fn object(&self) -> Result<Fields<'_>, CallError> {
        Fields::of(self.data()?).ok_or_else(|| self.unfit("data"))
    }

    /// The oldest contract wraps its lists in an object: not a list, not our answer.
    pub(super) fn list(&self) -> Result<&[Value], CallError> {
        self.data()?.as_array().map(Vec::as_slice).ok_or_else(|| self.unfit("data"))
    }

    pub(super) fn pagination(&self) -> Result<Fields<'_>, CallError> {
        self.root.get("pagination").and_then(Fields::of).ok_or_else(|| self.unfit("pagination"))
    }
}
