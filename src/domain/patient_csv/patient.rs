//! One record becomes a person, or says why not.

use chrono::NaiveDate;

use super::header::{self, Field, Header};
use super::records::Record;
use super::{MAX_EMAIL_CHARS, MAX_NAME_CHARS, MAX_PHONE_CHARS, PatientRow, RowError, RowErrorCode, date};
use crate::fold;

/// The person of a record, or the first thing wrong with it.
pub(super) fn read(record: &Record<'_>, header: &Header, today: NaiveDate) -> Result<PatientRow, RowError> {
    if record.len() < header.width() || record.width() > header.width() {
        return Err(RowError { field: "row", code: RowErrorCode::WrongColumnCount });
    }
    let text = |field, limit| header.cell(record, field).map(|cell| checked(field, cell, limit)).transpose();

    let external_id = text(Field::ExternalId, MAX_NAME_CHARS)?;
    let mut first_name = text(Field::FirstName, MAX_NAME_CHARS)?;
    let mut last_name = text(Field::LastName, MAX_NAME_CHARS)?;
    if let Some(full_name) = text(Field::FullName, 2 * MAX_NAME_CHARS)? {
        let (first, last) = header::split_name(full_name);
        let limited = |field, part| checked(field, part, MAX_NAME_CHARS);
        first_name = first.map(|first| limited(Field::FirstName, first)).transpose()?;
        last_name = Some(limited(Field::LastName, last)?);
    }
    let email = text(Field::Email, MAX_EMAIL_CHARS)?;
    let phone = text(Field::Phone, MAX_PHONE_CHARS)?;
    let birth_date = text(Field::BirthDate, MAX_NAME_CHARS)?;

    let refuse = |field: Field, code| RowError { field: field.as_str(), code };
    let last_name = last_name.filter(|name| !fold::name(name).is_empty());
    let last_name = last_name.ok_or(refuse(Field::LastName, RowErrorCode::Missing))?;
    if email.is_some_and(|email| !is_email(email)) {
        return Err(refuse(Field::Email, RowErrorCode::InvalidEmail));
    }
    if phone.is_some_and(|phone| !is_phone(phone)) {
        return Err(refuse(Field::Phone, RowErrorCode::InvalidPhone));
    }
    let birth_date = birth_date.map(|text| date::read(text, today)).transpose();
    Ok(PatientRow {
        external_id: external_id.map(String::from),
        first_name: first_name.map(String::from),
        last_name: last_name.to_string(),
        email: email.map(String::from),
        phone: phone.map(String::from),
        birth_date: birth_date.map_err(|code| refuse(Field::BirthDate, code))?,
    })
}

fn checked(field: Field, cell: &str, limit: usize) -> Result<&str, RowError> {
    let turns_writing = |c| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let code = if cell.contains(char::REPLACEMENT_CHARACTER) {
        RowErrorCode::InvalidEncoding
    } else if cell.contains(|c: char| c.is_control() || turns_writing(c)) {
        RowErrorCode::ControlCharacter
    } else if cell.chars().nth(limit).is_some() {
        RowErrorCode::TooLong
    } else {
        return Ok(cell);
    };
    Err(RowError { field: field.as_str(), code })
}

/// Whether the text is one plain address. Quoted local parts, lists and `Name <address>` are not: a cell that
/// holds more than an address would link the wrong people.
fn is_email(text: &str) -> bool {
    let odd = |c: char| {
        c.is_whitespace() || matches!(c, ',' | ';' | ':' | '<' | '>' | '(' | ')' | '[' | ']' | '"' | '\\')
    };
    let Some((local, domain)) = text.split_once('@') else {
        return false;
    };
    let labels_filled = domain.contains('.') && domain.split('.').all(|label| !label.is_empty());
    !local.is_empty() && labels_filled && !domain.contains('@') && !text.contains(odd)
}

/// Whether the text may hold a number. `4,91711E+12` is what a spreadsheet leaves of one: digits are gone.
fn is_phone(text: &str) -> bool {
    let digits = text.chars().filter(|c| c.is_numeric()).count();
    let exponent = text
        .to_ascii_uppercase()
        .split_once("E+")
        .is_some_and(|(number, _)| number.ends_with(|c: char| c.is_ascii_digit()));
    digits >= 3 && !exponent
}
