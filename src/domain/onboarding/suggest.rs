//! Which custom field is the area and which the planned hours, and which option is which area: suggested by
//! name and type, decided by a person.

use crate::{fold, words::Area};

/// What a custom field can be here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FieldRole {
    /// Whose phase it is: production's or assembly's.
    Area,
    /// What a phase is planned to take.
    Hours,
}

/// What kind of values a custom field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldKind {
    Enum,
    Number(NumberFormat),
    MultiEnum,
    Text,
    Date,
    People,
    /// One that is newer than this program.
    Other,
}

/// What a number stands for at Asana (`format`, asana.md §5.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NumberFormat {
    /// A number, with a label of its owner's choice or without.
    Plain,
    Currency,
    Identifier,
    Percentage,
    /// Believed to be minutes; no source says so.
    Duration,
    Other,
}

/// Why a field cannot have a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unfit {
    /// Another kind of values is needed.
    WrongType,
    /// Nobody can say what its numbers are in hours.
    UnitUnknown,
    /// Computed at the provider, so that planned hours could not be written.
    ReadOnly,
}

/// How well a name fits; the better one is the lesser.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Closeness {
    Exact,
    Partial,
}

/// What is known of a field for a suggestion.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    pub gid: &'a str,
    pub name: &'a str,
    pub kind: FieldKind,
    pub is_read_only: bool,
    /// All projects of the workspace may have it, not one alone.
    pub is_global: bool,
}

/// A field that may have a role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suggestion {
    pub role: FieldRole,
    pub gid: String,
    pub closeness: Closeness,
}

/// The better word first; as [`squash`] leaves them.
const AREA_NAMES: [&str; 4] = ["bereich", "arbeitsbereich", "produktionmontage", "area"];
const HOURS_NAMES: [&str; 5] = ["sollstunden", "stunden", "aufwand", "hours", "budget"];
/// Words that turn planned hours into the hours that were spent.
const SPENT: [&str; 5] = ["ist", "iststunden", "actual", "tatsaechlich", "verbraucht"];
const PRODUCTION_NAMES: [&str; 2] = ["produktion", "production"];
const ASSEMBLY_NAMES: [&str; 2] = ["montage", "assembly"];

impl FieldRole {
    pub const ALL: [Self; 2] = [Self::Area, Self::Hours];

    /// Whether a field may have this role, whatever its name. Errors: why not.
    pub fn takes(self, kind: FieldKind, is_read_only: bool) -> Result<(), Unfit> {
        match (self, kind) {
            (Self::Area, FieldKind::Enum) => Ok(()),
            (Self::Hours, FieldKind::Number(NumberFormat::Plain)) if is_read_only => Err(Unfit::ReadOnly),
            (Self::Hours, FieldKind::Number(NumberFormat::Plain)) => Ok(()),
            (Self::Hours, FieldKind::Number(_)) => Err(Unfit::UnitUnknown),
            (Self::Area | Self::Hours, _) => Err(Unfit::WrongType),
        }
    }

    fn names(self) -> &'static [&'static str] {
        match self {
            Self::Area => &AREA_NAMES,
            Self::Hours => &HOURS_NAMES,
        }
    }
}

impl Unfit {
    /// The code that a screen gets.
    pub fn reason(self) -> &'static str {
        match self {
            Self::WrongType => "WRONG_TYPE",
            Self::UnitUnknown => "UNIT_UNKNOWN",
            Self::ReadOnly => "READ_ONLY",
        }
    }
}

/// How well one field fits a role: by its name, and only if its type does.
pub fn closeness(role: FieldRole, field: &Candidate<'_>) -> Option<Closeness> {
    rank(role, field).map(|(closeness, _)| closeness)
}

/// The field that fits a role best, if any does: exact names before partial ones, better words before others,
/// fields of the whole workspace before those of one project, short names before long ones.
pub fn best<'a>(role: FieldRole, fields: impl IntoIterator<Item = &'a Candidate<'a>>) -> Option<Suggestion> {
    let ranked = fields.into_iter().filter_map(|field| {
        let (closeness, word) = rank(role, field)?;
        Some(((closeness, word, !field.is_global, field.name.len(), field.gid), field.gid))
    });
    let ((closeness, ..), gid) = ranked.min()?;
    Some(Suggestion { role, gid: gid.into(), closeness })
}

/// Which area an option is by its name; none where it names neither or both.
pub fn area(option: &str) -> Option<Area> {
    let name = squash(option);
    let is = |names: &[&str]| names.iter().any(|known| name.contains(known));
    match (is(&PRODUCTION_NAMES), is(&ASSEMBLY_NAMES)) {
        (true, false) => Some(Area::Production),
        (false, true) => Some(Area::Assembly),
        (true, true) | (false, false) => None,
    }
}

/// How well a name fits, and by which of the role's words.
fn rank(role: FieldRole, field: &Candidate<'_>) -> Option<(Closeness, usize)> {
    role.takes(field.kind, field.is_read_only).ok()?;
    let name = squash(field.name);
    let place = |fits: &dyn Fn(&str) -> bool| role.names().iter().position(|known| fits(known));
    if let Some(word) = place(&|known| name == known) {
        return Some((Closeness::Exact, word));
    }
    let folded = fold::name(field.name);
    let mut words = folded.split(|c: char| !c.is_alphanumeric());
    if role == FieldRole::Hours && words.any(|word| SPENT.contains(&word)) {
        return None;
    }
    place(&|known| name.contains(known)).map(|word| (Closeness::Partial, word))
}

/// Letters and digits alone, so that `Soll-Stunden`, `Soll Stunden` and `SOLLSTUNDEN` are one name.
fn squash(name: &str) -> String {
    fold::name(name).chars().filter(|c| c.is_alphanumeric()).collect()
}

#[cfg(test)]
mod tests;
