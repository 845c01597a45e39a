//! A practice to play with.

use chrono::{Datelike as _, Days, TimeZone as _, Weekday};
use chrono_tz::Europe::Berlin;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};
use serde::{Deserialize, Serialize};

use super::{Booking, Calcom, Error, EventTypeOptions, Hours, NewBooking, User};

const NAMES: [&str; 6] =
    ["Erika Muster", "Max Beispiel", "Anna Probe", "Jonas Vorlage", "Lena Exempel", "Paul Musterfrau"];
const DAYS_AHEAD: u64 = 14;
const TRIES: usize = 50;

/// Who and what [`Calcom::add_demo`] made.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Demo {
    pub user: User,
    /// 30 minutes, accepted at once.
    pub consultation: i64,
    /// 60 minutes, to be confirmed by the host.
    pub house_visit: i64,
}

impl Calcom {
    /// A host in Berlin, Monday to Friday from 8 to 18, with two event types.
    pub fn add_demo(&self) -> Result<Demo, Error> {
        let user = self.add_user("Mara Vogt", "mara.vogt@example.com", Berlin);
        self.set_hours(user.id, Hours::weekdays(8, 18))?;
        let consultation = self.add_event_type(
            user.id,
            "first-consultation",
            "First consultation",
            30,
            EventTypeOptions::default(),
        )?;
        let options = EventTypeOptions { requires_confirmation: true, ..EventTypeOptions::default() };
        let house_visit = self.add_event_type(user.id, "house-visit", "House visit", 60, options)?;
        let demo = Demo { user, consultation, house_visit };
        self.inner.world().demo = Some(demo.clone());
        Ok(demo)
    }

    /// What [`Self::add_demo`] made, here or in the life that was kept.
    pub fn demo(&self) -> Option<Demo> {
        self.inner.world().demo.clone()
    }

    /// An invented attendee books a free time of the next two weeks; the same ones in turn for the same seed.
    /// `None` where nothing is free.
    pub async fn invent_booking(&self, event_type_id: i64, seed: u64) -> Result<Option<Booking>, Error> {
        let mut rng = StdRng::seed_from_u64(seed);
        let today = self.clock().now().with_timezone(&Berlin).date_naive();
        for _ in 0..TRIES {
            let Some(day) = today.checked_add_days(Days::new(rng.random_range(1..=DAYS_AHEAD))) else {
                continue;
            };
            let (hour, minute) = (rng.random_range(8..17), 30 * rng.random_range(0..2));
            let name = NAMES.choose(&mut rng).copied().unwrap_or_default();
            let start = day.and_hms_opt(hour, minute, 0);
            let start = start.and_then(|start| Berlin.from_local_datetime(&start).single());
            let Some(start) = start.filter(|_| !matches!(day.weekday(), Weekday::Sat | Weekday::Sun)) else {
                continue;
            };
            let email = format!("{}@example.org", name.to_lowercase().replace(' ', "."));
            match self.book_as_attendee(NewBooking::new(event_type_id, start.to_utc(), name, &email)).await {
                Ok(booking) => return Ok(Some(booking)),
                Err(Error::Refused(refusal)) if refusal.status == 400 => {}
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }
}
