//! Out of office: who is away when. No kind, no half days, no reason, and no word when one changes.

use chrono::NaiveDate;

use super::Asana;
use super::error::CallError;
use super::page::{Offset, Page};
use super::request::Request;
use crate::provider::fields::Fields;

/// Whole days on which somebody is away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OooEntry {
    pub gid: String,
    /// A user's gid.
    pub user: Option<String>,
    pub start_date: NaiveDate,
    /// The last day, most likely; the description does not say whether it counts.
    pub end_date: NaiveDate,
}

const OOO_ENTRY: &[&str] = &["user", "start_date", "end_date"];

impl Asana<'_> {
    /// One person's, of those that touch the days from `from` to `to`; there is no list across people.
    pub async fn ooo_entries(
        &self,
        workspace: &str,
        user: &str,
        from: Option<NaiveDate>,
        to: Option<NaiveDate>,
        offset: Option<&Offset>,
    ) -> Result<Page<OooEntry>, CallError> {
        let request = Request::get(&["ooo_entries"])
            .query("user", user)
            .query("workspace", workspace)
            .query_if("start_date", from)
            .query_if("end_date", to)
            .fields(OOO_ENTRY)
            .page(offset);
        self.send(request).await?.page(offset, OooEntry::of)
    }
}

impl OooEntry {
    fn of(fields: Fields<'_>) -> Result<Self, &'static str> {
        let start_date = fields.date("start_date")?.ok_or("start_date")?;
        let end_date = fields.date("end_date")?.ok_or("end_date")?;
        if end_date < start_date {
            return Err("end_date");
        }
        let user = fields.object("user").and_then(|user| user.key("gid"));
        Ok(Self { gid: fields.key("gid").ok_or("gid")?, user, start_date, end_date })
    }
}
