//! Text becomes records; the beginning of a file tells how.

use csv_core::{ReadRecordResult, Reader, ReaderBuilder};

use super::header::Field;
use super::{FileError, MAX_COLUMNS, MAX_RECORD_BYTES};

/// The best guess comes last: where two fit equally, the later one wins. A file of one column is best read by
/// the delimiter German programs use, since a name may well contain a comma.
const DELIMITERS: [u8; 4] = [b',', b'|', b'\t', b';'];

/// Where the header begins in the text, and what separates its cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Start {
    pub(super) at: usize,
    pub(super) delimiter: u8,
}

/// Finds header and delimiter in the beginning of the text, which is all of it if `complete`.
pub(super) fn start(text: &str, complete: bool) -> Result<Start, FileError> {
    // A second mark stems from joining files; csv-core would drop it only if it arrived in one piece.
    let body = text.trim_start_matches('\u{feff}');
    let at = text.len() - body.len();
    if let Some((delimiter, length)) = announced(body) {
        return Ok(Start { at: at + length, delimiter });
    }
    let mut best = None;
    let mut failure = None;
    for delimiter in DELIMITERS {
        match fit(body, delimiter, complete) {
            Ok(Some(fit)) if best.is_none_or(|(found, _)| fit >= found) => best = Some((fit, delimiter)),
            Ok(_) => {}
            Err(error @ FileError::TooManyColumns(_)) => return Err(error),
            // Only to a wrong delimiter a quote inside a cell may seem to open one.
            Err(error) => failure = Some(error),
        }
    }
    match (best, failure) {
        (Some(((known, _), delimiter)), _) if known > 0 => Ok(Start { at, delimiter }),
        (_, Some(error)) => Err(error),
        (Some((_, delimiter)), None) => Ok(Start { at, delimiter }),
        (None, None) => Err(FileError::Empty),
    }
}

/// Excel's first line `sep=;`: the delimiter and the length of the line.
fn announced(text: &str) -> Option<(u8, usize)> {
    let quoted = text.starts_with('"');
    let line = &text.as_bytes()[usize::from(quoted)..];
    let [s, e, p, b'=', delimiter, rest @ ..] = line else {
        return None;
    };
    let rest = if quoted { rest.strip_prefix(b"\"")? } else { rest };
    let is_sep = [*s, *e, *p].eq_ignore_ascii_case(b"sep");
    let separates = delimiter.is_ascii_punctuation() && *delimiter != b'"' || *delimiter == b'\t';
    let ends = rest.is_empty() || matches!(rest[0], b'\r' | b'\n');
    (is_sep && separates && ends).then_some((*delimiter, text.len() - rest.len()))
}

/// How well a delimiter fits the header: known headings first, then cells. None if there is no header.
fn fit(text: &str, delimiter: u8, complete: bool) -> Result<Option<(usize, usize)>, FileError> {
    let mut records = Records::new(delimiter);
    let mut input = text.as_bytes();
    while let Some(record) = records.next(&mut input, 0, complete)? {
        // To a wrong delimiter an empty line `;;` is a cell.
        let idle =
            |c: char| c.is_whitespace() || DELIMITERS.iter().any(|delimiter| c == char::from(*delimiter));
        if !record.cells().all(|cell| cell.trim_matches(idle).is_empty()) {
            let known = record.cells().filter(|cell| Field::of_heading(cell).is_some()).count();
            return Ok(Some((known, record.len())));
        }
    }
    match complete {
        true => Ok(None),
        false => Err(FileError::RecordTooLong(0)),
    }
}

/// Splits UTF-8 that arrives in pieces into records, one at a time.
pub(super) struct Records {
    reader: Reader,
    // One byte and one column more than allowed: only a full buffer is too much.
    cells: Vec<u8>,
    ends: Vec<usize>,
    cells_used: usize,
    ends_used: usize,
    is_taken: bool,
}

impl Records {
    pub(super) fn new(delimiter: u8) -> Self {
        Self {
            reader: ReaderBuilder::new().delimiter(delimiter).build(),
            cells: vec![0; MAX_RECORD_BYTES + 1],
            ends: vec![0; MAX_COLUMNS + 1],
            cells_used: 0,
            ends_used: 0,
            is_taken: false,
        }
    }

    /// Takes the next record from the input, or all of the input and None if it completes none.
    ///
    /// With `last`, the end of the input ends the record too. `number` is named in errors.
    pub(super) fn next(
        &mut self,
        input: &mut &[u8],
        number: u64,
        last: bool,
    ) -> Result<Option<Record<'_>>, FileError> {
        if std::mem::take(&mut self.is_taken) {
            (self.cells_used, self.ends_used) = (0, 0);
        }
        // csv-core takes an empty input for the end of the file.
        while !input.is_empty() || last {
            let (cells, ends) = (&mut self.cells[self.cells_used..], &mut self.ends[self.ends_used..]);
            let (result, read, written, ended) = self.reader.read_record(input, cells, ends);
            *input = &input[read..];
            self.cells_used += written;
            self.ends_used += ended;
            if self.cells_used > MAX_RECORD_BYTES || result == ReadRecordResult::OutputFull {
                return Err(FileError::RecordTooLong(number));
            }
            if self.ends_used > MAX_COLUMNS || result == ReadRecordResult::OutputEndsFull {
                return Err(FileError::TooManyColumns(number));
            }
            match result {
                ReadRecordResult::Record => {
                    self.is_taken = true;
                    let cells = &self.cells[..self.cells_used];
                    return Ok(Some(Record { cells, ends: &self.ends[..self.ends_used] }));
                }
                ReadRecordResult::End => return Ok(None),
                ReadRecordResult::InputEmpty
                | ReadRecordResult::OutputFull
                | ReadRecordResult::OutputEndsFull => {}
            }
        }
        Ok(None)
    }
}

/// The cells of one record, trimmed.
#[derive(Clone, Copy)]
pub(super) struct Record<'a> {
    cells: &'a [u8],
    ends: &'a [usize],
}

impl<'a> Record<'a> {
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The cells up to the last one that is filled.
    pub(super) fn width(&self) -> usize {
        (0..self.len()).rfind(|at| !self.cell(*at).is_empty()).map_or(0, |at| at + 1)
    }

    pub(super) fn is_blank(&self) -> bool {
        self.width() == 0
    }

    /// A cell; empty beyond the last one.
    pub(super) fn cell(&self, at: usize) -> &'a str {
        let Some(end) = self.ends.get(at) else {
            return "";
        };
        let begin = at.checked_sub(1).map_or(0, |before| self.ends[before]);
        // Only ASCII was taken out of UTF-8, so this is UTF-8; if it were not, the row would be refused.
        std::str::from_utf8(&self.cells[begin..*end]).unwrap_or("\u{fffd}").trim()
    }

    pub(super) fn cells(self) -> impl Iterator<Item = &'a str> {
        (0..self.len()).map(move |at| self.cell(at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delimiter(text: &str) -> Result<char, FileError> {
        start(text, true).map(|start| char::from(start.delimiter))
    }

    #[test]
    fn the_delimiter_is_the_one_that_finds_headings() {
        assert_eq!(delimiter("Nachname,Vorname\n"), Ok(','));
        assert_eq!(delimiter("Nachname;Vorname"), Ok(';'));
        assert_eq!(delimiter("Nachname\tVorname"), Ok('\t'));
        assert_eq!(delimiter("Nachname|Vorname"), Ok('|'));
        assert_eq!(delimiter("Nachname;\"Anschrift, Ort, Land, Planet\";Vorname"), Ok(';'));
        assert_eq!(delimiter("Nachname;Ort, Land, Planet, Stern, Galaxie"), Ok(';'));
        assert_eq!(delimiter("\n\n;;\nNachname;Vorname"), Ok(';'));
        assert_eq!(delimiter("Nachname"), Ok(';'));
    }

    #[test]
    fn an_announced_delimiter_is_taken() {
        assert_eq!(start("sep=;\r\nName", true), Ok(Start { at: 5, delimiter: b';' }));
        assert_eq!(start("\u{feff}SEP=\t\nName", true), Ok(Start { at: 8, delimiter: b'\t' }));
        assert_eq!(start("\"sep=,\"\nName", true), Ok(Start { at: 7, delimiter: b',' }));
        assert_eq!(start("sep=x\nName", true).map(|start| start.at), Ok(0));
        assert_eq!(start("separator;Name", true).map(|start| start.at), Ok(0));
    }

    #[test]
    fn a_beginning_without_a_whole_header_is_empty_or_too_long() {
        assert_eq!(delimiter(""), Err(FileError::Empty));
        assert_eq!(delimiter(" \n;;\n\r\n"), Err(FileError::Empty));
        assert_eq!(start("Nachname;Vor", false), Err(FileError::RecordTooLong(0)));
    }

    #[test]
    fn limits_are_kept_to_the_byte_and_the_column() {
        let read = |text: String| {
            Records::new(b';').next(&mut text.as_bytes(), 7, true).map(|record| record.map(|r| r.len()))
        };

        assert_eq!(read("x".repeat(MAX_RECORD_BYTES)), Ok(Some(1)));
        assert_eq!(read("x".repeat(MAX_RECORD_BYTES + 1)), Err(FileError::RecordTooLong(7)));
        assert_eq!(read(";".repeat(MAX_COLUMNS - 1)), Ok(Some(MAX_COLUMNS)));
        assert_eq!(read(";".repeat(MAX_COLUMNS)), Err(FileError::TooManyColumns(7)));
    }
}
