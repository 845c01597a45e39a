//! The list of bookings: filters, order, pages by offset.

use std::cmp::Reverse;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::call::{Answer, Call};
use super::fields::moment;
use super::shown;
use crate::sandbox::calcom::booking::{Booking, Status};
use crate::sandbox::calcom::inner::Inner;
use crate::sandbox::calcom::refusal::Refusal;

const MAX_TAKE: usize = 250;
const DEFAULT_TAKE: usize = 100;

/// The parameters of the list; anything else is dropped, as the framework does.
pub(super) struct Page {
    pub(super) items: Vec<Booking>,
    total: usize,
    take: usize,
    skip: usize,
}

pub(super) fn list(inner: &Inner, call: &Call, is_stale: bool) -> Result<Answer, Refusal> {
    let page = page(inner, call, is_stale)?;
    let world = inner.world();
    let data: Vec<Value> = page.items.iter().map(|one| shown::booking(&world, one)).collect();
    let body = json!({ "status": "success", "data": data, "pagination": page.pagination() });
    Ok(Answer::raw(http::StatusCode::OK, body))
}

pub(super) fn page(inner: &Inner, call: &Call, is_stale: bool) -> Result<Page, Refusal> {
    let (take, skip) =
        (number(call, "take", DEFAULT_TAKE, 1, MAX_TAKE)?, number(call, "skip", 0, 0, usize::MAX)?);
    let filter = Filter::of(call, inner.clock.now())?;
    let user_id = call.user_id()?;
    let world = inner.world();
    let email = world.owner(user_id)?.email.clone();
    let before = if is_stale { world.bookings_before() } else { Vec::new() };
    let kept = if is_stale { before.as_slice() } else { world.bookings() };
    // What the key's user may see: their own, and those they attend.
    let is_theirs = |one: &&Booking| {
        one.user_id == user_id || one.attendees.iter().any(|attendee| attendee.email == email)
    };
    let mut found: Vec<&Booking> = kept.iter().filter(is_theirs).filter(|one| filter.fits(one)).collect();
    sort(&mut found, call)?;
    let total = found.len();
    let items = found.into_iter().skip(skip).take(take).cloned().collect();
    Ok(Page { items, total, take, skip })
}

impl Page {
    fn pagination(&self) -> Value {
        let returned = self.items.len();
        let remaining = self.total.saturating_sub(self.skip + returned);
        let current = if self.total == 0 { 0 } else { self.skip / self.take + 1 };
        json!({
            "returnedItems": returned,
            "totalItems": self.total,
            "itemsPerPage": self.take,
            "remainingItems": remaining,
            "currentPage": current,
            "totalPages": self.total.div_ceil(self.take),
            "hasNextPage": remaining > 0,
            "hasPreviousPage": self.skip > 0 && self.total > 0,
        })
    }
}

struct Filter {
    now: DateTime<Utc>,
    statuses: Vec<String>,
    event_types: Vec<i64>,
    attendee_email: Option<String>,
    attendee_name: Option<String>,
    uid: Option<String>,
    after_start: Option<DateTime<Utc>>,
    before_end: Option<DateTime<Utc>>,
    created: (Option<DateTime<Utc>>, Option<DateTime<Utc>>),
    updated: (Option<DateTime<Utc>>, Option<DateTime<Utc>>),
}

impl Filter {
    fn of(call: &Call, now: DateTime<Utc>) -> Result<Self, Refusal> {
        let statuses: Vec<String> = many(call, "status").map(str::to_owned).collect();
        const KNOWN: [&str; 5] = ["upcoming", "recurring", "past", "cancelled", "unconfirmed"];
        if !statuses.iter().all(|status| KNOWN.contains(&status.as_str())) {
            return Err(wrong(
                "status",
                "isEnum",
                "must be one of upcoming, recurring, past, cancelled, unconfirmed",
            ));
        }
        let mut event_types = Vec::new();
        for id in many(call, "eventTypeIds").chain(many(call, "eventTypeId")) {
            let id = id.parse().map_err(|_| wrong("eventTypeId", "isNumber", "must be a number"))?;
            event_types.push(id);
        }
        Ok(Self {
            now,
            statuses,
            event_types,
            attendee_email: call.asked("attendeeEmail").map(str::to_lowercase),
            attendee_name: call.asked("attendeeName").map(str::to_owned),
            uid: call.asked("bookingUid").map(str::to_owned),
            after_start: time(call, "afterStart")?,
            before_end: time(call, "beforeEnd")?,
            created: (time(call, "afterCreatedAt")?, time(call, "beforeCreatedAt")?),
            updated: (time(call, "afterUpdatedAt")?, time(call, "beforeUpdatedAt")?),
        })
    }

    fn fits(&self, one: &Booking) -> bool {
        let has_email =
            |email: &String| one.attendees.iter().any(|attendee| attendee.email.to_lowercase() == *email);
        let has_name = |name: &String| one.attendees.iter().any(|attendee| attendee.name == *name);
        (self.statuses.is_empty() || self.statuses.iter().any(|status| self.is_in(status, one)))
            && (self.event_types.is_empty() || self.event_types.contains(&one.event_type_id))
            && self.attendee_email.as_ref().is_none_or(has_email)
            && self.attendee_name.as_ref().is_none_or(has_name)
            && self.uid.as_ref().is_none_or(|uid| one.uid == *uid)
            && self.after_start.is_none_or(|after| one.start >= after)
            && self.before_end.is_none_or(|before| one.end <= before)
            && within(one.created_at, self.created)
            && within(one.updated_at, self.updated)
    }

    fn is_in(&self, status: &str, one: &Booking) -> bool {
        match status {
            "upcoming" => one.status == Status::Accepted && one.end >= self.now,
            "recurring" => one.recurring_uid.is_some() && one.is_active() && one.end >= self.now,
            "past" => one.is_active() && one.end <= self.now,
            // Declined ones, too.
            "cancelled" => !one.is_active(),
            _ => one.status == Status::Pending && one.end >= self.now,
        }
    }
}

fn within(moment: DateTime<Utc>, (after, before): (Option<DateTime<Utc>>, Option<DateTime<Utc>>)) -> bool {
    after.is_none_or(|after| moment >= after) && before.is_none_or(|before| moment <= before)
}

/// The first order that is asked for; by start otherwise. Equal ones are in the order of their ids.
fn sort(found: &mut [&Booking], call: &Call) -> Result<(), Refusal> {
    type Key = fn(&Booking) -> DateTime<Utc>;
    const ORDERS: [(&str, Key); 4] = [
        ("sortStart", |one| one.start),
        ("sortEnd", |one| one.end),
        ("sortCreated", |one| one.created_at),
        ("sortUpdatedAt", |one| one.updated_at),
    ];
    let asked = ORDERS.iter().find_map(|(name, key)| Some((*name, *key, call.asked(name)?)));
    match asked {
        None => found.sort_by_key(|one| (one.start, one.id)),
        Some((_, key, "asc")) => found.sort_by_key(|one| (key(one), one.id)),
        Some((_, key, "desc")) => found.sort_by_key(|one| (Reverse(key(one)), one.id)),
        Some((name, ..)) => return Err(wrong(name, "isEnum", "must be asc or desc")),
    }
    Ok(())
}

fn many<'a>(call: &'a Call, name: &'a str) -> impl Iterator<Item = &'a str> {
    let asked = call.query.iter().filter(move |(one, _)| one == name);
    asked.flat_map(|(_, value)| value.split(',')).map(str::trim).filter(|one| !one.is_empty())
}

fn time(call: &Call, name: &str) -> Result<Option<DateTime<Utc>>, Refusal> {
    let Some(text) = call.asked(name) else { return Ok(None) };
    let found =
        moment(text).ok_or_else(|| wrong(name, "isISO8601", "must be a valid ISO 8601 date string"))?;
    Ok(Some(found))
}

pub(super) fn number(
    call: &Call,
    name: &str,
    default: usize,
    least: usize,
    most: usize,
) -> Result<usize, Refusal> {
    let Some(text) = call.asked(name) else { return Ok(default) };
    let number = text.parse().ok().filter(|number| (least..=most).contains(number));
    number.ok_or_else(|| wrong(name, "range", "must be a number in its range"))
}

pub(super) fn wrong(field: &str, rule: &str, says: &str) -> Refusal {
    Refusal::invalid(vec![(field.to_owned(), rule.to_owned(), format!("{field} {says}"))])
}
