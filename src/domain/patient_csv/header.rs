//! Which column holds what, by the headings programs and people use.

use super::FileError;
use super::records::Record;
use crate::fold;

/// How much of a heading is repeated in a summary.
const SHOWN_CHARS: usize = 60;

/// Words a family name may begin with: `Ludwig van Muster` is Ludwig, of the van Musters.
const PARTICLES: [&str; 14] =
    ["von", "vom", "van", "de", "del", "della", "der", "den", "di", "da", "du", "zu", "zum", "zur"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    ExternalId,
    FirstName,
    LastName,
    /// `Name`: the last name beside a column of first names, else all of it.
    Name,
    FullName,
    Email,
    Phone,
    BirthDate,
}

impl Field {
    /// The field's name towards callers. A whole name is refused as the last name it must contain.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::ExternalId => "external_id",
            Self::FirstName => "first_name",
            Self::LastName | Self::Name | Self::FullName => "last_name",
            Self::Email => "email",
            Self::Phone => "phone",
            Self::BirthDate => "birth_date",
        }
    }

    /// The field a heading names; case, spaces, punctuation and a number behind it do not matter.
    pub(super) fn of_heading(heading: &str) -> Option<Self> {
        let key: String = fold::name(heading).chars().filter(|c| c.is_alphanumeric()).collect();
        Some(match key.trim_end_matches(|c: char| c.is_ascii_digit()) {
            "id" | "patientid" | "patientenid" | "patid" | "patientnr" | "patientennr" | "patnr"
            | "patientnummer" | "patientennummer" | "patientnumber" | "patientno" | "externalid"
            | "externeid" | "externid" | "customerid" | "customernumber" | "customerno" | "clientid"
            | "kundennummer" | "kundennr" | "kundenid" | "klientennummer" | "klientnr" => Self::ExternalId,
            "vorname" | "vornamen" | "rufname" | "firstname" | "givenname" | "givennames" | "forename" => {
                Self::FirstName
            }
            "nachname" | "familienname" | "zuname" | "lastname" | "surname" | "familyname" => Self::LastName,
            "name" => Self::Name,
            "fullname" | "vollername" | "vollstaendigername" | "namevorname" | "nachnamevorname"
            | "vornamenachname" | "vornamename" | "vorundnachname" | "vorundzuname" | "patient"
            | "patientin" | "patientname" | "patientenname" | "customername" | "clientname" => Self::FullName,
            "email" | "mail" | "emailadresse" | "mailadresse" | "emailaddress" | "emailprivat"
            | "privateemail" => Self::Email,
            "telefon" | "telefonnummer" | "telefonnr" | "tel" | "telnr" | "handy" | "handynummer"
            | "handynr" | "mobil" | "mobilnummer" | "mobilnr" | "mobiltelefon" | "rufnummer" | "festnetz"
            | "telefonmobil" | "telefonprivat" | "telmobil" | "telprivat" | "phone" | "phonenumber"
            | "phoneno" | "mobile" | "mobilephone" | "mobilenumber" | "cell" | "cellphone" | "homephone"
            | "telephone" | "telephonenumber" => Self::Phone,
            "geburtsdatum" | "geburtstag" | "geboren" | "geborenam" | "gebdatum" | "gebdat" | "gebam"
            | "geb" | "birthdate" | "dateofbirth" | "birthday" | "dob" | "born" => Self::BirthDate,
            _ => return None,
        })
    }
}

/// The columns of a file.
pub(super) struct Header {
    columns: Vec<Option<Field>>,
    ignored: Vec<String>,
}

impl Header {
    /// Reads the headings. Fails with `MissingColumn` if no column can hold a last name.
    pub(super) fn read(record: &Record<'_>) -> Result<Self, FileError> {
        let headings: Vec<&str> = record.cells().take(record.width()).collect();
        let named: Vec<Option<Field>> = headings.iter().map(|heading| Field::of_heading(heading)).collect();
        let has = |field| named.contains(&Some(field));
        // One source of names only: others would contradict it in some row.
        let (name, read_as) = if has(Field::LastName) {
            (Field::LastName, Field::LastName)
        } else if has(Field::Name) && has(Field::FirstName) {
            (Field::Name, Field::LastName)
        } else if has(Field::FullName) {
            (Field::FullName, Field::FullName)
        } else if has(Field::Name) {
            (Field::Name, Field::FullName)
        } else {
            return Err(FileError::MissingColumn(Field::LastName.as_str()));
        };
        let columns: Vec<_> = named
            .into_iter()
            .map(|field| match field {
                Some(field) if field == name => Some(read_as),
                Some(Field::LastName | Field::Name | Field::FullName) => None,
                Some(Field::FirstName) if read_as == Field::FullName => None,
                field => field,
            })
            .collect();
        let unread =
            headings.iter().zip(&columns).filter(|(heading, field)| field.is_none() && !heading.is_empty());
        let ignored = unread.map(|(heading, _)| shown(heading)).collect();
        Ok(Self { columns, ignored })
    }

    /// How many cells a row has; empty headings at the end are delimiters without a column.
    pub(super) fn width(&self) -> usize {
        self.columns.len()
    }

    /// The first filled cell of a field.
    pub(super) fn cell<'a>(&self, record: &Record<'a>, field: Field) -> Option<&'a str> {
        let columns = self.columns.iter().enumerate().filter(|(_, column)| **column == Some(field));
        columns.map(|(at, _)| record.cell(at)).find(|cell| !cell.is_empty())
    }

    pub(super) fn fields(&self) -> Vec<&'static str> {
        let mut fields = Vec::new();
        for field in self.columns.iter().flatten() {
            let names: &[Field] = match field {
                Field::FullName => &[Field::FirstName, Field::LastName],
                field => std::slice::from_ref(field),
            };
            for name in names.iter().map(|name| name.as_str()) {
                if !fields.contains(&name) {
                    fields.push(name);
                }
            }
        }
        fields
    }

    pub(super) fn ignored(&self) -> &[String] {
        &self.ignored
    }
}

fn shown(heading: &str) -> String {
    heading.chars().filter(|c| !c.is_control()).take(SHOWN_CHARS).collect()
}

/// First and last name of `Muster, Erika`, `Erika Muster` or `Erika von Muster`. The last name is empty only
/// if nothing stands before the comma.
pub(super) fn split_name(name: &str) -> (Option<&str>, &str) {
    let filled = |part: &str| !part.is_empty();
    if let Some((last, first)) = name.split_once(',') {
        return (Some(first.trim()).filter(|first| filled(first)), last.trim());
    }
    let starts: Vec<usize> = word_starts(name).collect();
    let particle = starts.iter().skip(1).find(|at| {
        let word = name[**at..].split_whitespace().next().unwrap_or_default();
        PARTICLES.contains(&word.to_lowercase().as_str())
    });
    match particle.or(starts.get(1..).and_then(<[usize]>::last)) {
        Some(at) => (Some(name[..*at].trim()), name[*at..].trim()),
        None => (None, name.trim()),
    }
}

fn word_starts(text: &str) -> impl Iterator<Item = usize> + '_ {
    let mut after_space = true;
    text.char_indices().filter_map(move |(at, c)| {
        let starts = after_space && !c.is_whitespace();
        after_space = c.is_whitespace();
        starts.then_some(at)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_are_known_in_german_and_english_however_they_are_written() {
        for (headings, field) in [
            (&["Vorname", "VORNAME ", "first name", "First_Name", "given-name"][..], Field::FirstName),
            (&["Nachname", "Familienname", "last name", "LastName", "surname"], Field::LastName),
            (&["E-Mail", "Email", "Mail", "e-mail-adresse", "E-Mail 1"], Field::Email),
            (
                &["Telefon", "Tel.", "Handy", "Mobil", "phone", "mobile", "Telefon 2", "Telefon (mobil)"],
                Field::Phone,
            ),
            (
                &["Geburtsdatum", "Geb.-Datum", "geb. am", "birth date", "date of birth", "DOB"],
                Field::BirthDate,
            ),
            (
                &["Patientennummer", "Patient-ID", "Pat.-Nr.", "ID", "external id", "customer_id"],
                Field::ExternalId,
            ),
            (&["Name"], Field::Name),
            (&["Name, Vorname", "full name", "Vollständiger Name", "Patient"], Field::FullName),
        ] {
            for heading in headings {
                assert_eq!(Field::of_heading(heading), Some(field), "{heading}");
            }
        }
        for heading in ["", "1", "Geburtsname", "Ort", "Fax", "Anrede"] {
            assert_eq!(Field::of_heading(heading), None, "{heading}");
        }
    }

    #[test]
    fn a_whole_name_is_split() {
        for (name, first, last) in [
            ("Muster, Erika", Some("Erika"), "Muster"),
            ("von Muster , Erika Anna", Some("Erika Anna"), "von Muster"),
            ("Erika Muster", Some("Erika"), "Muster"),
            ("Erika  Anna Muster", Some("Erika  Anna"), "Muster"),
            ("Erika von der Muster", Some("Erika"), "von der Muster"),
            ("von Muster", Some("von"), "Muster"),
            ("Muster", None, "Muster"),
            ("Muster,", None, "Muster"),
            (", Erika", Some("Erika"), ""),
        ] {
            assert_eq!(split_name(name), (first, last), "{name}");
        }
    }
}
