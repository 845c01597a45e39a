//! The success envelope: `{"data":…}`, for lists with `next_page`.

use serde_json::Value;

use super::error::CallError;
use super::page::{Offset, Page, Unfit};
use super::{PAGE_SIZE, page};
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
        if answer.root.get("data").is_some() { Ok(answer) } else { Err(answer.unfit("data")) }
    }

    /// The error for something that should have been there.
    pub(super) fn unfit(&self, what: &'static str) -> CallError {
        CallError::UnexpectedShape { what, may_be_done: self.effect == Effect::Write }
    }

    pub(super) fn root(&self) -> Option<Fields<'_>> {
        Fields::of(&self.root)
    }

    pub(super) fn list(&self) -> Result<&[Value], CallError> {
        let data = self.root.get("data").and_then(Value::as_array);
        data.map(Vec::as_slice).ok_or_else(|| self.unfit("data"))
    }

    /// One record, read by `read`.
    pub(super) fn one<T>(
        &self,
        read: impl Fn(Fields<'_>) -> Result<T, &'static str>,
    ) -> Result<T, CallError> {
        let data = self.root.get("data").and_then(Fields::of).ok_or_else(|| self.unfit("data"))?;
        read(data).map_err(|what| self.unfit(what))
    }

    /// One page of records, each read by `read`; those that it cannot read are named.
    /// `asked` is where this page began.
    pub(super) fn page<T>(
        &self,
        asked: Option<&Offset>,
        read: impl Fn(Fields<'_>) -> Result<T, &'static str>,
    ) -> Result<Page<T>, CallError> {
        let records = self.list()?;
        let (items, unfit) = page::read_all(records, read);
        Ok(Page { items, unfit, next: self.next(asked, records.len())? })
    }

    /// What is missing from a list counts as deleted, so a list must not end by a misunderstanding.
    fn next(&self, asked: Option<&Offset>, records: usize) -> Result<Option<Offset>, CallError> {
        let next = match self.root.get("next_page") {
            Some(Value::Null) => return Ok(None),
            None if records < PAGE_SIZE => return Ok(None),
            next => next.and_then(Fields::of).and_then(|next| next.get("offset")),
        };
        let next = next.and_then(Value::as_str).map(str::to_owned);
        let next = next.and_then(Offset::parse).ok_or_else(|| self.unfit("next_page.offset"))?;
        // It would never end.
        if asked == Some(&next) { Err(self.unfit("next_page.offset")) } else { Ok(Some(next)) }
    }
}

impl Unfit {
    pub(super) fn of(record: &Value, what: &'static str) -> Self {
        Self { gid: Fields::of(record).and_then(|record| record.key("gid")), what }
    }
}
