//! All rows, for whoever wants to do something else with them: CSV, Parquet, JSON.

use std::{io::Write, sync::Arc};

use parquet::{
    basic::{Compression, LogicalType, Repetition, TimeUnit, Type as Physical, ZstdLevel},
    data_type::{ByteArray, ByteArrayType, Int64Type},
    errors::ParquetError,
    file::{
        properties::WriterProperties,
        writer::{SerializedFileWriter, SerializedRowGroupWriter},
    },
    schema::types::Type,
};
use serde::Serialize;
use sterna_backends::{Algorithm, Whereabouts};

use super::{Index, IndexError, Row};

/// The columns, in order.
const COLUMNS: [&str; 8] = ["place", "key", "size", "modified", "sha256", "sha1", "md5", "parts"];

/// Rows of a row group: so many are held in memory.
const GROUP: usize = 65_536;

/// In which form rows are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Text with a line of names; times as RFC 3339, digests in hexadecimal.
    Csv,
    /// Apache Parquet: times as UTC timestamps in nanoseconds, sizes as integers, the rest as text.
    Parquet,
    /// A line of JSON each: times as RFC 3339, digests in hexadecimal, what is not known left out.
    Json,
}

/// Writes the rows of `place`, or all, by place and key; how many.
///
/// # Errors
/// Where the index cannot be read, or `out` not be written.
pub fn export(
    index: &Index,
    place: Option<&Whereabouts>,
    format: Format,
    out: impl Write + Send,
) -> Result<u64, IndexError> {
    match format {
        Format::Csv => to_csv(index, place, out),
        Format::Parquet => to_parquet(index, place, out),
        Format::Json => to_json(index, place, out),
    }
}

fn digest(row: &Row, kind: Algorithm) -> Option<String> {
    row.digests.get(kind).map(|digest| digest.hex())
}

fn to_csv(index: &Index, place: Option<&Whereabouts>, out: impl Write) -> Result<u64, IndexError> {
    let wrong = |error: csv::Error| IndexError::of(index, error);
    let mut writer = csv::Writer::from_writer(out);
    writer.write_record(COLUMNS).map_err(wrong)?;
    let mut count = 0;
    index.export(place, |row| {
        count += 1;
        let text = |kind| digest(&row, kind).unwrap_or_default();
        let (size, modified) = (row.size.to_string(), row.modified.map(|time| time.to_string()).unwrap_or_default());
        let digests = [Algorithm::Sha256, Algorithm::Sha1, Algorithm::Md5, Algorithm::Parts].map(text);
        let fields = [&row.place, &row.key, &size, &modified].into_iter().chain(&digests);
        writer.write_record(fields).map_err(wrong)
    })?;
    writer.flush().map_err(|error| IndexError::of(index, error))?;
    Ok(count)
}

/// A row as JSON, its fields named and ordered as [`COLUMNS`].
#[derive(Serialize)]
struct Line<'a> {
    place: &'a str,
    key: &'a str,
    size: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    modified: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sha1: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    md5: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parts: Option<String>,
}

fn to_json(index: &Index, place: Option<&Whereabouts>, mut out: impl Write) -> Result<u64, IndexError> {
    let mut count = 0;
    index.export(place, |row| {
        count += 1;
        let text = |kind| digest(&row, kind);
        let line = Line {
            place: &row.place,
            key: &row.key,
            size: row.size,
            modified: row.modified.map(|time| time.to_string()),
            sha256: text(Algorithm::Sha256),
            sha1: text(Algorithm::Sha1),
            md5: text(Algorithm::Md5),
            parts: text(Algorithm::Parts),
        };
        serde_json::to_writer(&mut out, &line).map_err(|error| IndexError::of(index, error))?;
        out.write_all(b"\n").map_err(|error| IndexError::of(index, error))
    })?;
    out.flush().map_err(|error| IndexError::of(index, error))?;
    Ok(count)
}

fn to_parquet(index: &Index, place: Option<&Whereabouts>, out: impl Write + Send) -> Result<u64, IndexError> {
    let wrong = |error: ParquetError| IndexError::of(index, error);
    let properties = WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::default())).build();
    let schema = Arc::new(schema().map_err(wrong)?);
    let mut writer = SerializedFileWriter::new(out, schema, Arc::new(properties)).map_err(wrong)?;
    let mut rows = Vec::with_capacity(GROUP);
    let mut count = 0;
    let mut group = |rows: &mut Vec<Row>| {
        count += rows.len() as u64;
        let mut group = writer.next_row_group()?;
        columns(&mut group, rows)?;
        group.close()?;
        rows.clear();
        Ok(())
    };
    index.export(place, |row| {
        rows.push(row);
        if rows.len() < GROUP { Ok(()) } else { group(&mut rows).map_err(wrong) }
    })?;
    if !rows.is_empty() {
        group(&mut rows).map_err(wrong)?;
    }
    writer.close().map_err(wrong)?;
    Ok(count)
}

fn schema() -> Result<Type, ParquetError> {
    let column = |name: &str| {
        let (physical, logical) = match name {
            "size" => (Physical::INT64, None),
            "modified" => {
                let time = LogicalType::timestamp(true, TimeUnit::NANOS);
                (Physical::INT64, Some(time))
            }
            _ => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
        };
        let always = matches!(name, "place" | "key" | "size");
        let repetition = if always { Repetition::REQUIRED } else { Repetition::OPTIONAL };
        let column = Type::primitive_type_builder(name, physical).with_repetition(repetition);
        column.with_logical_type(logical).build().map(Arc::new)
    };
    let columns = COLUMNS.into_iter().map(column).collect::<Result<_, _>>()?;
    Type::group_type_builder("object").with_fields(columns).build()
}

/// The columns of one row group, in the order of [`COLUMNS`].
fn columns<W: Write + Send>(group: &mut SerializedRowGroupWriter<'_, W>, rows: &[Row]) -> Result<(), ParquetError> {
    let text = |of: fn(&Row) -> Option<String>| rows.iter().map(of).collect::<Vec<_>>();
    strings(group, &text(|row| Some(row.place.clone())), false)?;
    strings(group, &text(|row| Some(row.key.clone())), false)?;
    integers(group, rows.iter().map(|row| i64::try_from(row.size).ok()), false)?;
    integers(group, rows.iter().map(|row| row.modified.map(|time| time.as_nanos())), true)?;
    strings(group, &text(|row| digest(row, Algorithm::Sha256)), true)?;
    strings(group, &text(|row| digest(row, Algorithm::Sha1)), true)?;
    strings(group, &text(|row| digest(row, Algorithm::Md5)), true)?;
    strings(group, &text(|row| digest(row, Algorithm::Parts)), true)
}

/// A column of text. `optional`: some of it may be missing.
fn strings<W: Write + Send>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    values: &[Option<String>],
    optional: bool,
) -> Result<(), ParquetError> {
    let present: Vec<ByteArray> = values.iter().flatten().map(|text| ByteArray::from(text.as_str())).collect();
    let levels: Vec<i16> = values.iter().map(|value| i16::from(value.is_some())).collect();
    let Some(mut column) = group.next_column()? else { return Ok(()) };
    column.typed::<ByteArrayType>().write_batch(&present, optional.then_some(&levels[..]), None)?;
    column.close()
}

/// A column of integers. `optional`: some may be missing.
fn integers<W: Write + Send>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    values: impl Iterator<Item = Option<i64>>,
    optional: bool,
) -> Result<(), ParquetError> {
    let values: Vec<Option<i64>> = values.collect();
    let present: Vec<i64> = if optional {
        values.iter().flatten().copied().collect()
    } else {
        values.iter().map(|value| value.unwrap_or(i64::MAX)).collect()
    };
    let levels: Vec<i16> = values.iter().map(|value| i16::from(value.is_some())).collect();
    let Some(mut column) = group.next_column()? else { return Ok(()) };
    column.typed::<Int64Type>().write_batch(&present, optional.then_some(&levels[..]), None)?;
    column.close()
}
