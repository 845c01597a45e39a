//! Reads the patients out of a CSV file that arrives in pieces.
//!
//! Practices export from many programs, so delimiter, encoding and column names are found out, dates are read
//! as Germans write them, and a row that does not fit is reported without stopping the file. Memory stays
//! bounded whatever is sent: the first [`LOOK_AHEAD_BYTES`] are kept until encoding and delimiter are
//! known, afterwards one record at a time.

mod date;
mod decode;
mod header;
mod patient;
mod records;
#[cfg(test)]
mod tests;

use chrono::NaiveDate;

use self::decode::Decoder;
use self::header::Header;
use self::records::{Record, Records};

/// How much of a file is seen before its encoding and delimiter are decided.
pub const LOOK_AHEAD_BYTES: usize = 64 * 1024;
/// The longest record, in bytes of UTF-8 without its quotes and delimiters.
pub const MAX_RECORD_BYTES: usize = 64 * 1024;
pub const MAX_COLUMNS: usize = 200;
/// Field limits in characters; an e-mail address has at most 64 + 1 + 255 (RFC 3696, section 3).
pub const MAX_NAME_CHARS: usize = 200;
pub const MAX_EMAIL_CHARS: usize = 320;
pub const MAX_PHONE_CHARS: usize = 50;

/// How many bytes are decoded at once, however large the piece that arrived.
const PIECE_BYTES: usize = 16 * 1024;

/// Why a file cannot be read on. Rows read before stay valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    #[error("the file is empty")]
    Empty,
    /// Names the field, not a column: any of its synonyms would do.
    #[error("no column holds {0}")]
    MissingColumn(&'static str),
    /// The header is record 0. Often a quote that is never closed.
    #[error("record {0} is longer than 64 KiB; is a quote not closed?")]
    RecordTooLong(u64),
    #[error("record {0} has more than 200 columns")]
    TooManyColumns(u64),
}

/// One record below the header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// 1 for the first record below the header; empty lines are not counted.
    pub number: u64,
    pub outcome: Result<PatientRow, RowError>,
}

/// A person as written in the file: trimmed, within the limits, not yet folded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatientRow {
    pub external_id: Option<String>,
    pub first_name: Option<String>,
    pub last_name: String,
    pub email: Option<String>,
    pub phone: Option<String>,
    pub birth_date: Option<NaiveDate>,
}

/// The first thing wrong with a row. It never repeats what the row says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowError {
    /// `external_id`, `first_name`, `last_name`, `email`, `phone`, `birth_date`, or `row` for all of it.
    pub field: &'static str,
    pub code: RowErrorCode,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowErrorCode {
    Missing,
    TooLong,
    /// A line break, another control character, or one that turns the direction of writing.
    ControlCharacter,
    /// Bytes that are no text in the file's encoding, or U+FFFD left behind by an earlier conversion.
    InvalidEncoding,
    WrongColumnCount,
    InvalidEmail,
    InvalidPhone,
    InvalidDate,
    /// `03/04/1980` is March in some programs and April in others.
    AmbiguousDate,
    /// Before 1880 or in the future.
    DateOutOfRange,
}

impl RowErrorCode {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "MISSING",
            Self::TooLong => "TOO_LONG",
            Self::ControlCharacter => "CONTROL_CHARACTER",
            Self::InvalidEncoding => "INVALID_ENCODING",
            Self::WrongColumnCount => "WRONG_COLUMN_COUNT",
            Self::InvalidEmail => "INVALID_EMAIL",
            Self::InvalidPhone => "INVALID_PHONE",
            Self::InvalidDate => "INVALID_DATE",
            Self::AmbiguousDate => "AMBIGUOUS_DATE",
            Self::DateOutOfRange => "DATE_OUT_OF_RANGE",
        }
    }
}

/// What the whole file turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Records below the header, and how many of them were refused.
    pub rows: u64,
    pub refused: u64,
    /// The WHATWG name, e.g. `UTF-8` or `windows-1252`. A file of ASCII alone counts as UTF-8.
    pub encoding: &'static str,
    pub delimiter: char,
    /// The fields that have a column, in the file's order, each once.
    pub fields: Vec<&'static str>,
    /// The headings of columns nobody reads, shortened to 60 characters.
    pub ignored_columns: Vec<String>,
}

/// The state of reading one file: feed its bytes in order, then finish.
pub struct PatientCsv {
    today: NaiveDate,
    stage: Stage,
}

enum Stage {
    LookingAhead(Vec<u8>),
    Reading(Box<Reading>),
    Finished(Summary),
    Failed(FileError),
}

impl PatientCsv {
    /// `today` bounds birth dates and decides the century of two-digit years.
    pub fn new(today: NaiveDate) -> Self {
        Self { today, stage: Stage::LookingAhead(Vec::new()) }
    }

    /// Takes the next bytes and adds the rows they complete. Where the pieces are cut changes nothing.
    ///
    /// After an error every further call returns the same error; rows added before it stay. Bytes fed after
    /// `finish` are not read.
    pub fn feed(&mut self, bytes: &[u8], rows: &mut Vec<Row>) -> Result<(), FileError> {
        let outcome = self.try_feed(bytes, rows);
        outcome.inspect_err(|error| self.stage = Stage::Failed(*error))
    }

    /// Ends the file and adds the rows that only waited for its end. A second call returns the same summary.
    pub fn finish(&mut self, rows: &mut Vec<Row>) -> Result<Summary, FileError> {
        match self.try_finish(rows) {
            Ok(summary) => {
                self.stage = Stage::Finished(summary.clone());
                Ok(summary)
            }
            Err(error) => {
                self.stage = Stage::Failed(error);
                Err(error)
            }
        }
    }

    fn try_feed(&mut self, mut bytes: &[u8], rows: &mut Vec<Row>) -> Result<(), FileError> {
        if let Stage::LookingAhead(ahead) = &mut self.stage {
            let (seen, rest) = bytes.split_at(bytes.len().min(LOOK_AHEAD_BYTES - ahead.len()));
            ahead.extend_from_slice(seen);
            if ahead.len() < LOOK_AHEAD_BYTES {
                return Ok(());
            }
            bytes = rest;
            self.stage = Stage::Reading(Box::new(Reading::begin(self.today, ahead, false, rows)?));
        }
        match &mut self.stage {
            Stage::Reading(reading) => {
                bytes.chunks(PIECE_BYTES).try_for_each(|piece| reading.read(piece, rows))
            }
            Stage::Failed(error) => Err(*error),
            Stage::LookingAhead(_) | Stage::Finished(_) => Ok(()),
        }
    }

    fn try_finish(&mut self, rows: &mut Vec<Row>) -> Result<Summary, FileError> {
        match &mut self.stage {
            Stage::LookingAhead(ahead) => Reading::begin(self.today, ahead, true, rows)?.end(rows),
            Stage::Reading(reading) => reading.end(rows),
            Stage::Finished(summary) => Ok(summary.clone()),
            Stage::Failed(error) => Err(*error),
        }
    }
}

/// Reading on, once encoding, delimiter and header are known.
struct Reading {
    decoder: Decoder,
    /// The decoder has seen the end of the file.
    is_decoded: bool,
    delimiter: u8,
    records: Records,
    rows: RowReader,
}

impl Reading {
    /// Decides from the beginning of the file, which is all of it if `complete`, and reads its rows.
    fn begin(today: NaiveDate, ahead: &[u8], complete: bool, rows: &mut Vec<Row>) -> Result<Self, FileError> {
        let (mut decoder, bom) = Decoder::choose(ahead, complete);
        let mut text = String::new();
        decoder.decode(&ahead[bom..], complete, &mut text);
        let start = records::start(&text, complete)?;

        let mut records = Records::new(start.delimiter);
        let mut input = &text.as_bytes()[start.at..];
        let header = loop {
            match records.next(&mut input, 0, complete)? {
                Some(record) if record.is_blank() => {}
                Some(record) => break Header::read(&record)?,
                None if complete => return Err(FileError::Empty),
                None => return Err(FileError::RecordTooLong(0)),
            }
        };
        let row_reader = RowReader { today, header, count: 0, refused: 0 };
        let mut reading =
            Self { decoder, is_decoded: complete, delimiter: start.delimiter, records, rows: row_reader };
        reading.read_text(input, rows)?;
        Ok(reading)
    }

    fn read(&mut self, bytes: &[u8], rows: &mut Vec<Row>) -> Result<(), FileError> {
        let mut text = String::new();
        self.decoder.decode(bytes, false, &mut text);
        self.read_text(text.as_bytes(), rows)
    }

    fn end(&mut self, rows: &mut Vec<Row>) -> Result<Summary, FileError> {
        let mut text = String::new();
        if !std::mem::replace(&mut self.is_decoded, true) {
            self.decoder.decode(&[], true, &mut text);
        }
        self.read_text(text.as_bytes(), rows)?;
        while let Some(record) = self.records.next(&mut &[][..], self.rows.count + 1, true)? {
            rows.extend(self.rows.read(&record));
        }
        Ok(Summary {
            rows: self.rows.count,
            refused: self.rows.refused,
            encoding: self.decoder.encoding(),
            delimiter: char::from(self.delimiter),
            fields: self.rows.header.fields(),
            ignored_columns: self.rows.header.ignored().to_vec(),
        })
    }

    fn read_text(&mut self, mut input: &[u8], rows: &mut Vec<Row>) -> Result<(), FileError> {
        while let Some(record) = self.records.next(&mut input, self.rows.count + 1, false)? {
            rows.extend(self.rows.read(&record));
        }
        Ok(())
    }
}

/// Makes rows of records and counts them.
struct RowReader {
    today: NaiveDate,
    header: Header,
    count: u64,
    refused: u64,
}

impl RowReader {
    /// The row of a record; an empty line is none.
    fn read(&mut self, record: &Record<'_>) -> Option<Row> {
        if record.is_blank() {
            return None;
        }
        let outcome = patient::read(record, &self.header, self.today);
        self.count += 1;
        self.refused += u64::from(outcome.is_err());
        Some(Row { number: self.count, outcome })
    }
}
