//! Invents patients and bookings: plausible, neutral, and the same again for the same seed.

use chrono::{DateTime, Datelike, Days, TimeDelta, TimeZone as _, Utc, Weekday};
use chrono_tz::Europe::Berlin;
use rand::Rng;
use rand::seq::IndexedRandom as _;

use super::{Appointment, AppointmentData, PatientData, Status};

const FIRST_NAMES: &[&str] = &["Erika", "Max", "Anna", "Jonas", "Lena", "Paul", "Mia", "Karl"];
const LAST_NAMES: &[&str] = &["Muster", "Beispiel", "Probe", "Vorlage", "Musterfrau", "Exempel"];
const SERVICES: &[(&str, u32)] = &[("Erstgespräch", 50), ("Einzelsitzung", 50), ("Doppelsitzung", 100)];
const LAST_START_HOUR: u32 = 16;
const DAYS_AHEAD: u64 = 14;
const TRIES: usize = 50;

pub(super) fn patient(rng: &mut impl Rng) -> PatientData {
    let vorname = pick(rng, FIRST_NAMES);
    let nachname = pick(rng, LAST_NAMES);
    let number: u32 = rng.random_range(0..1_000_000);
    let (year, month, day) =
        (rng.random_range(1940..=2006), rng.random_range(1..=12), rng.random_range(1..=28));
    PatientData {
        email: Some(format!("{vorname}.{nachname}.{number}@example.org").to_lowercase()),
        // Berlin numbers set aside for fiction by the Bundesnetzagentur: (0)30 23125 000 to 999.
        telefon: Some(format!("+49 30 23125 {:03}", rng.random_range(0..1000))),
        geburtsdatum: Some(format!("{year}-{month:02}-{day:02}")),
        vorname: Some(vorname.to_owned()),
        nachname: nachname.to_owned(),
    }
}

/// A slot on a working day of the next two weeks, on the half hour, in which the therapist is free.
pub(super) fn booking(
    rng: &mut impl Rng,
    now: DateTime<Utc>,
    patient_id: &str,
    therapists: &[String],
    taken: &[Appointment],
) -> Option<AppointmentData> {
    let today = now.with_timezone(&Berlin).date_naive();
    (0..TRIES).find_map(|_| {
        let day = today.checked_add_days(Days::new(rng.random_range(1..=DAYS_AHEAD)))?;
        let (hour, minute) = (rng.random_range(8..=LAST_START_HOUR), 30 * rng.random_range(0..2));
        let therapist_name = therapists.choose(rng).cloned();
        let (service, duration_minutes) = SERVICES.choose(rng).copied()?;
        if matches!(day.weekday(), Weekday::Sat | Weekday::Sun) {
            return None;
        }
        let start = Berlin.from_local_datetime(&day.and_hms_opt(hour, minute, 0)?).single()?;
        let data = AppointmentData {
            patient_id: patient_id.to_owned(),
            scheduled_at: start.fixed_offset(),
            duration_minutes,
            therapist_name,
            service_name: Some(service.to_owned()),
        };
        let is_free = !taken.iter().any(|other| {
            other.status == Status::Scheduled
                && other.data.therapist_name == data.therapist_name
                && overlap(&other.data, &data)
        });
        is_free.then_some(data)
    })
}

fn overlap(one: &AppointmentData, other: &AppointmentData) -> bool {
    one.scheduled_at < end(other) && other.scheduled_at < end(one)
}

fn end(data: &AppointmentData) -> DateTime<chrono::FixedOffset> {
    data.scheduled_at + TimeDelta::minutes(data.duration_minutes.into())
}

fn pick(rng: &mut impl Rng, words: &'static [&'static str]) -> &'static str {
    words.choose(rng).copied().unwrap_or_default()
}
