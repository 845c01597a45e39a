//! Whether a new person may be one we already know.
//!
//! Candidates were found by a blocking key (the same birth date or the same phone); here the rest is
//! weighed. A likeness never links anybody: it asks an admin, so it rather asks once too often.

mod name;
#[cfg(test)]
mod tests;

use chrono::NaiveDate;

pub use self::name::{INITIAL_ALIKE, LONE_LAST_NAME_ALIKE, WORD_ALIKE};
use crate::fold;

/// What each reason adds to the score; a similar name adds its share of [`NAME_POINTS`].
pub const BIRTH_DATE_POINTS: u8 = 45;
pub const NAME_POINTS: u8 = 35;
pub const PHONE_POINTS: u8 = 20;
pub const EMAIL_POINTS: u8 = 20;

/// What is known of a person when comparing. The phone is normalised by [`fold::phone`]; names and e-mail
/// are as written.
#[derive(Clone, Copy, Default)]
pub struct Person<'a> {
    pub first_name: Option<&'a str>,
    pub last_name: &'a str,
    pub email: Option<&'a str>,
    pub phone: Option<&'a str>,
    pub birth_date: Option<NaiveDate>,
}

/// Why two people look like one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    SameBirthDate,
    SimilarName,
    SamePhone,
    SameEmail,
}

impl Reason {
    const ALL: [Self; 4] = [Self::SameBirthDate, Self::SimilarName, Self::SamePhone, Self::SameEmail];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::SameBirthDate => "SAME_BIRTH_DATE",
            Self::SimilarName => "SIMILAR_NAME",
            Self::SamePhone => "SAME_PHONE",
            Self::SameEmail => "SAME_EMAIL",
        }
    }

    /// The reason written by [`Reason::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == text)
    }
}

/// How much two people look like one: 0 to 100, and why. The order of the reasons is fixed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Likeness {
    pub score: u8,
    pub reasons: Vec<Reason>,
}

/// The likeness of a likely twin, or None. The order of the two does not matter.
///
/// Likely twins are people with
/// - the same birth date and a similar name, the same phone or the same e-mail; or
/// - a similar full name and the same phone or e-mail, while one side has no birth date.
///
/// Two known birth dates that differ always part: father and son share name and phone. What is missing is
/// never equal to anything.
pub fn compare(new: &Person<'_>, known: &Person<'_>) -> Option<Likeness> {
    let same_birth_date = match (new.birth_date, known.birth_date) {
        (Some(one), Some(other)) if one != other => return None,
        (one, other) => one.is_some() && other.is_some(),
    };
    let name = name::alike(new, known);
    let same_phone = both_same(new.phone.and_then(filled), known.phone.and_then(filled));
    let same_email = both_same(new.email.and_then(fold::email), known.email.and_then(fold::email));

    let likely = match same_birth_date {
        true => name.is_some() || same_phone || same_email,
        false => name.is_some_and(|name| name.full) && (same_phone || same_email),
    };
    if !likely {
        return None;
    }
    let name_points = name.map(|name| (name.alike * f64::from(NAME_POINTS)).round() as u8);
    let weighed = [
        (Reason::SameBirthDate, same_birth_date.then_some(BIRTH_DATE_POINTS)),
        (Reason::SimilarName, name_points),
        (Reason::SamePhone, same_phone.then_some(PHONE_POINTS)),
        (Reason::SameEmail, same_email.then_some(EMAIL_POINTS)),
    ];
    let said = weighed.into_iter().filter_map(|(reason, points)| Some((reason, points?)));
    let (reasons, points): (Vec<_>, Vec<_>) = said.unzip();
    let score = points.into_iter().fold(0, u8::saturating_add).min(100);
    Some(Likeness { score, reasons })
}

fn filled(text: &str) -> Option<&str> {
    Some(text.trim()).filter(|text| !text.is_empty())
}

fn both_same<T: PartialEq>(one: Option<T>, other: Option<T>) -> bool {
    one.is_some() && one == other
}
