use proptest::prelude::*;

use super::RowErrorCode::*;
use super::*;

type Outcome = (Vec<Row>, Result<Summary, FileError>);

fn today() -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 2, 17).unwrap()
}

fn read_pieces<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Outcome {
    let (mut csv, mut rows) = (PatientCsv::new(today()), Vec::new());
    for piece in pieces {
        if csv.feed(piece, &mut rows).is_err() {
            break;
        }
    }
    let summary = csv.finish(&mut rows);
    (rows, summary)
}

fn read(file: impl AsRef<[u8]>) -> Outcome {
    read_pieces([file.as_ref()])
}

fn patients(file: impl AsRef<[u8]>) -> Vec<PatientRow> {
    let (rows, summary) = read(file);
    summary.unwrap();
    rows.into_iter().map(|row| row.outcome.unwrap()).collect()
}

fn only_patient(file: impl AsRef<[u8]>) -> PatientRow {
    let [patient] = <[PatientRow; 1]>::try_from(patients(file)).unwrap();
    patient
}

fn only_error(file: impl AsRef<[u8]>) -> (&'static str, RowErrorCode) {
    let (rows, summary) = read(file);
    assert_eq!(summary.map(|s| (s.rows, s.refused)), Ok((1, 1)));
    let error = rows[0].outcome.clone().unwrap_err();
    (error.field, error.code)
}

fn failure(file: impl AsRef<[u8]>) -> FileError {
    read(file).1.unwrap_err()
}

fn named(first: &str, last: &str) -> PatientRow {
    PatientRow {
        external_id: None,
        first_name: Some(first).filter(|name| !name.is_empty()).map(String::from),
        last_name: last.into(),
        email: None,
        phone: None,
        birth_date: None,
    }
}

#[test]
fn a_file_from_a_german_excel_is_read() {
    let file = "sep=;\r\nPat.-Nr.;Vorname;Name;Geb.-Datum;Tel.;E-Mail;Ort;\r\n\
                17;Erika;Muster;3.4.1980;030/1234567;erika@x.example;\"Berlin;\nMitte\";\r\n;;;;;;;\r\n\r\n\
                18;Max;\"Muster \"\"der\"\" Erste\";;;;;\r\n";
    let (bytes, _, _) = encoding_rs::WINDOWS_1252.encode(file);

    let (rows, summary) = read(&bytes);

    let erika = PatientRow {
        external_id: Some("17".into()),
        email: Some("erika@x.example".into()),
        phone: Some("030/1234567".into()),
        birth_date: NaiveDate::from_ymd_opt(1980, 4, 3),
        ..named("Erika", "Muster")
    };
    let max = PatientRow { external_id: Some("18".into()), ..named("Max", "Muster \"der\" Erste") };
    assert_eq!(rows, [Row { number: 1, outcome: Ok(erika) }, Row { number: 2, outcome: Ok(max) }]);
    let summary = summary.unwrap();
    let fields = ["external_id", "first_name", "last_name", "birth_date", "phone", "email"];
    assert_eq!((summary.rows, summary.refused, summary.delimiter), (2, 0, ';'));
    assert_eq!((&summary.fields[..], &summary.ignored_columns[..]), (&fields[..], &["Ort".to_string()][..]));
}

#[test]
fn every_encoding_gives_the_same_name() {
    let text = "Vorname,Nachname\nJürgen,Strauß\n";
    let utf16 = |unit: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(unit).collect::<Vec<u8>>();
    let windows: Vec<u8> = text.chars().map(|c| u8::try_from(c).unwrap()).collect();

    for (mark, bytes, encoding) in [
        (&b""[..], text.as_bytes().to_vec(), "UTF-8"),
        (b"\xef\xbb\xbf", text.as_bytes().to_vec(), "UTF-8"),
        (b"\xef\xbb\xbf\xef\xbb\xbf", text.as_bytes().to_vec(), "UTF-8"),
        (b"\xff\xfe", utf16(u16::to_le_bytes), "UTF-16LE"),
        (b"\xfe\xff", utf16(u16::to_be_bytes), "UTF-16BE"),
        (b"", windows, "windows-1252"),
    ] {
        let file = [mark, &bytes].concat();
        assert_eq!(only_patient(&file), named("Jürgen", "Strauß"));
        assert_eq!(read(&file).1.unwrap().encoding, encoding);
    }
}

/// A header and ASCII rows that reach beyond the look-ahead.
fn ascii_beyond_look_ahead() -> Vec<u8> {
    let mut file = b"Vorname;Nachname\n".to_vec();
    while file.len() <= LOOK_AHEAD_BYTES {
        file.extend_from_slice(b"Erika;Muster\n");
    }
    file
}

#[test]
fn the_first_letter_after_the_look_ahead_may_be_windows_1252() {
    let file = [&ascii_beyond_look_ahead()[..], b"J\xfcrgen;Strau\xdf\nRen\xe9;Muster"].concat();

    let (rows, summary) = read(file);

    let last: Vec<_> = rows[rows.len() - 2..].iter().map(|row| row.outcome.clone().unwrap()).collect();
    assert_eq!(last, [named("Jürgen", "Strauß"), named("René", "Muster")]);
    assert_eq!(summary.unwrap().encoding, "windows-1252");
}

#[test]
fn a_broken_letter_in_a_utf8_file_refuses_its_row_only() {
    let file =
        [&ascii_beyond_look_ahead()[..], "Jürgen;Strauß\n".as_bytes(), b"J\xfcrgen;Muster\nMax;Muster"]
            .concat();

    let (rows, summary) = read(file);

    let last: Vec<_> = rows[rows.len() - 3..].iter().map(|row| row.outcome.clone()).collect();
    let refused = RowError { field: "first_name", code: InvalidEncoding };
    assert_eq!(last, [Ok(named("Jürgen", "Strauß")), Err(refused), Ok(named("Max", "Muster"))]);
    assert_eq!(summary.map(|s| (s.refused, s.encoding)), Ok((1, "UTF-8")));
}

#[test]
fn every_line_end_ends_a_record() {
    for end in ["\n", "\r\n", "\r"] {
        let file = ["Vorname;Nachname", "Erika;Muster", "", "Max;Muster"].join(end);
        assert_eq!(patients(&file), [named("Erika", "Muster"), named("Max", "Muster")]);
        assert_eq!(patients(file + end).len(), 2);
    }
}

#[test]
fn name_means_the_last_name_beside_a_first_name_and_the_whole_name_alone() {
    assert_eq!(only_patient("Name;Vorname\nMuster;Erika"), named("Erika", "Muster"));
    assert_eq!(only_patient("Name;Ort\nMuster, Erika;Berlin"), named("Erika", "Muster"));
    assert_eq!(only_patient("Name\nMuster, Erika"), named("Erika", "Muster"));
    assert_eq!(only_patient("Name\nErika von Muster"), named("Erika", "von Muster"));
    assert_eq!(only_patient("Name\nMuster"), named("", "Muster"));
    assert_eq!(only_patient("Nachname;Vorname;Name\nMuster;Erika;Frau Muster"), named("Erika", "Muster"));
    assert_eq!(only_patient("Patient;Vorname\nErika Muster;E."), named("Erika", "Muster"));
}

#[test]
fn of_two_columns_for_one_field_the_first_filled_one_wins() {
    let phones = |row: &str| only_patient(format!("Name;Handy;Telefon\n{row}")).phone;

    assert_eq!(phones("Muster;0171 2345678;030 1234567").as_deref(), Some("0171 2345678"));
    assert_eq!(phones("Muster; ;030 1234567").as_deref(), Some("030 1234567"));
}

#[test]
fn a_row_says_what_is_wrong_and_where() {
    let long = |length| "x".repeat(length);
    for (heading, cell, field, code) in [
        ("E-Mail", "erika".to_string(), "email", InvalidEmail),
        ("E-Mail", "a@b.com,booking_email.eq.x@y.de".into(), "email", InvalidEmail),
        ("E-Mail", "erika@x".into(), "email", InvalidEmail),
        ("E-Mail", "Erika <e@x.example>".into(), "email", InvalidEmail),
        ("E-Mail", format!("{}@x.example", long(311)), "email", TooLong),
        ("Telefon", "unbekannt".into(), "phone", InvalidPhone),
        ("Telefon", "4,91711E+12".into(), "phone", InvalidPhone),
        ("Telefon", "0".repeat(51), "phone", TooLong),
        ("Vorname", long(201), "first_name", TooLong),
        ("Vorname", "Eri\nka".into(), "first_name", ControlCharacter),
        ("Vorname", "Eri\u{0}ka".into(), "first_name", ControlCharacter),
        ("Vorname", "Eri\u{202e}ka".into(), "first_name", ControlCharacter),
        ("Vorname", "Eri\u{fffd}ka".into(), "first_name", InvalidEncoding),
        ("Geb. am", "31.02.1980".into(), "birth_date", InvalidDate),
        ("Geb. am", "03/04/1980".into(), "birth_date", AmbiguousDate),
        ("Geb. am", "18.02.2026".into(), "birth_date", DateOutOfRange),
    ] {
        assert_eq!(only_error(format!("Nachname|{heading}\nMuster|\"{cell}\"")), (field, code), "{cell}");
    }
    assert_eq!(only_error("Nachname;Vorname\n;Erika"), ("last_name", Missing));
    assert_eq!(only_error("Name\n\", Erika\""), ("last_name", Missing));
    assert_eq!(only_error("Nachname;Vorname\nMuster"), ("row", WrongColumnCount));
    assert_eq!(only_error("Nachname;Vorname\nMuster;Erika;mehr"), ("row", WrongColumnCount));
}

#[test]
fn the_limits_themselves_are_allowed() {
    let (name, email, phone) = ("ü".repeat(200), format!("{}@x.example", "x".repeat(310)), "0".repeat(50));

    let patient = only_patient(format!("Vorname;Nachname;Mail;Tel\n{name};{name};{email};{phone};;\n"));

    assert_eq!((patient.first_name, patient.last_name), (Some(name.clone()), name));
    assert_eq!((patient.email, patient.phone), (Some(email), Some(phone)));
}

#[test]
fn what_nobody_reads_refuses_no_row() {
    assert_eq!(only_patient("Nachname;Notiz\nMuster;\"a\nb\u{fffd}\""), named("", "Muster"));
}

#[test]
fn a_file_that_cannot_be_read_says_why_and_keeps_saying_it() {
    assert_eq!(failure(""), FileError::Empty);
    assert_eq!(failure("\u{feff}\r\n;;\n"), FileError::Empty);
    assert_eq!(failure("sep=;"), FileError::Empty);
    assert_eq!(failure("Vorname;Ort\nErika;Berlin"), FileError::MissingColumn("last_name"));
    assert_eq!(failure(format!("Name{}", ";".repeat(200))), FileError::TooManyColumns(0));
    assert_eq!(failure(format!("Name;{}", "x".repeat(MAX_RECORD_BYTES))), FileError::RecordTooLong(0));
    assert_eq!(failure(format!("sep=;\nName;{}", "x".repeat(MAX_RECORD_BYTES))), FileError::RecordTooLong(0));

    let (mut csv, mut rows) = (PatientCsv::new(today()), Vec::new());
    let open_quote = format!("Name;Ort\nMuster;A\nMuster;\"{}", "x\n".repeat(MAX_RECORD_BYTES));
    let first = csv.feed(open_quote.as_bytes(), &mut rows);
    assert_eq!((first, rows.len()), (Err(FileError::RecordTooLong(2)), 1));
    assert_eq!(csv.feed(b"\"\nMuster;B\n", &mut rows), Err(FileError::RecordTooLong(2)));
    assert_eq!(csv.finish(&mut rows), Err(FileError::RecordTooLong(2)));
    assert_eq!(rows.len(), 1);
}

#[test]
fn a_header_alone_is_a_file_without_rows() {
    let (rows, summary) = read("Vorname;Nachname");

    assert_eq!((rows.len(), summary.map(|s| s.rows)), (0, Ok(0)));
}

#[test]
fn rows_are_given_as_soon_as_they_are_complete() {
    let (mut csv, mut rows) = (PatientCsv::new(today()), Vec::new());
    csv.feed(&ascii_beyond_look_ahead(), &mut rows).unwrap();
    let before = rows.len();

    csv.feed(b"Max;Muster\nEri", &mut rows).unwrap();

    assert_eq!(rows.len(), before + 1);
    let summary = csv.finish(&mut rows).unwrap();
    assert_eq!((rows.len(), csv.finish(&mut rows)), (before + 2, Ok(summary)));
}

/// Bytes with everything a reader may stumble over.
fn odd_bytes() -> impl Strategy<Value = Vec<u8>> {
    let words = ["Name", "Vorname", "Geb. am", "sep=;", "E-Mail", "Muster, Erika", "3.4.80"];
    let letters = ["ü", "ß–", "€", "😀", "\u{feff}", "\u{fffd}"];
    let one_of = |texts: &[&'static str]| {
        prop::sample::select(texts.to_vec()).prop_map(|text| text.as_bytes().to_vec())
    };
    let piece = prop_oneof![
        8 => prop::sample::select(&b"\"\"\r\n\n,;;\t| =-.\0a1"[..]).prop_map(|byte| vec![byte]),
        3 => one_of(&words),
        3 => one_of(&letters),
        1 => any::<u8>().prop_map(|byte| vec![byte]),
    ];
    let start = prop::sample::select(vec![
        &b""[..],
        b"\xef\xbb\xbf",
        b"\xff\xfe",
        b"\xfe\xff",
        b"Name;Vorname\n",
        b"Nachname,Vorname,E-Mail\r\n",
        b"sep=|\r\nName|Geb. am\r",
    ]);
    let body = prop::collection::vec(piece, 0..60);
    (start, body).prop_map(|(start, body)| [start.to_vec(), body.concat()].concat())
}

/// The bytes cut in places given as shares of their length.
fn cut<'a>(bytes: &'a [u8], places: &[prop::sample::Index]) -> Vec<&'a [u8]> {
    let mut ends: Vec<usize> = places.iter().map(|place| place.index(bytes.len() + 1)).collect();
    ends.sort_unstable();
    let begins = std::iter::once(0).chain(ends.iter().copied());
    begins.zip(ends.iter().copied().chain([bytes.len()])).map(|(begin, end)| &bytes[begin..end]).collect()
}

fn places() -> impl Strategy<Value = Vec<prop::sample::Index>> {
    prop::collection::vec(any::<prop::sample::Index>(), 0..6)
}

fn name_cell() -> impl Strategy<Value = String> {
    "[A-Za-zäöüß\"',;|. -]{0,12}[a-zß]".prop_map(|name| name.trim().to_string())
}

fn quoted(cell: &str) -> String {
    format!("\"{}\"", cell.replace('"', "\"\""))
}

proptest! {
    #[test]
    fn where_a_file_is_cut_does_not_matter(bytes in odd_bytes(), places in places()) {
        let whole = read(&bytes);

        prop_assert_eq!(&read_pieces(cut(&bytes, &places)), &whole);
        prop_assert_eq!(&read_pieces(bytes.chunks(1)), &whole);
    }

    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let (rows, summary) = read(&bytes);
        if let Ok(summary) = summary {
            prop_assert_eq!(summary.rows, rows.len() as u64);
        }
    }

    #[test]
    fn a_written_file_is_read_back(
        people in prop::collection::vec((name_cell(), name_cell(), "[a-z \n,;|\t\"ä]{0,9}"), 1..8),
        delimiter in prop::sample::select(vec![',', ';', '\t', '|']),
        end in prop::sample::select(vec!["\n", "\r\n", "\r"]),
        coding in 0..4,
        announced in any::<bool>(),
    ) {
        let row = |cells: [&str; 3]| cells.map(quoted).join(&delimiter.to_string()) + end;
        let mut text = if announced { format!("sep={delimiter}{end}") } else { String::new() };
        text += &row(["Vorname", "Nachname", "Notiz"]);
        text.extend(people.iter().map(|(first, last, note)| row([first, last, note])));
        let bytes = match coding {
            0 => text.clone().into_bytes(),
            1 => format!("\u{feff}{text}").into_bytes(),
            2 => encoding_rs::WINDOWS_1252.encode(&text).0.into_owned(),
            _ => format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_le_bytes).collect(),
        };

        let found = patients(&bytes);

        let expected: Vec<_> = people.iter().map(|(first, last, _)| named(first, last)).collect();
        prop_assert_eq!(found, expected);
        prop_assert_eq!(read(&bytes).1.map(|summary| summary.delimiter), Ok(delimiter));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// The look-ahead ends somewhere inside the tail, also inside a letter or a quote.
    #[test]
    fn where_the_look_ahead_ends_does_not_matter(
        tail in odd_bytes(), back in 0..120usize, places in places(),
    ) {
        let mut file = b"Nachname;Vorname\n".to_vec();
        while file.len() + 120 < LOOK_AHEAD_BYTES {
            file.extend_from_slice(b"Muster;Erika\n");
        }
        file.resize(LOOK_AHEAD_BYTES - back, b' ');
        file.extend_from_slice(b"\n");
        file.extend_from_slice(&tail);
        let whole = read(&file);

        let near = LOOK_AHEAD_BYTES - 130;
        let pieces = std::iter::once(&file[..near]).chain(cut(&file[near..], &places));
        prop_assert_eq!(&read_pieces(pieces), &whole);
        prop_assert_eq!(&read_pieces(std::iter::once(&file[..near]).chain(file[near..].chunks(1))), &whole);
    }
}
