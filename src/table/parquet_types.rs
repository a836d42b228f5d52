//! Logical types of Parquet that no Arrow type expresses: carried along with a column, from the
//! file that is read to the file that is written.
//!
//! Arrow reads a UUID as 16 bytes, a JSON text as a text, a time in UTC as a time. What is lost is
//! kept in a field's metadata, at any depth, and put back into the schema of the output. Owns the
//! walk over both schemas side by side. What a type is called is `parquet_annotation`'s.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema};
use parquet::arrow::{ArrowSchemaConverter, PARQUET_FIELD_ID_META_KEY, parquet_to_arrow_schema};
use parquet::basic::{ConvertedType, LogicalType, TimeUnit, Type as PhysicalType};
use parquet::errors::ParquetError;
use parquet::schema::types::{SchemaDescriptor, Type, TypePtr};

use super::parquet_annotation::{Annotation, INT96_BYTES, KEY, WHOLE, group, primitive, typed};

/// The schema by which a file is read, if it is not the file's own: bytes in the place of what
/// Arrow would read inexactly, texts in the place of enumerations, and no annotation at all in the
/// place of one that Arrow does not know or that contradicts the values' type.
pub(super) fn readable(
    schema: &SchemaDescriptor,
) -> Result<Option<SchemaDescriptor>, ParquetError> {
    let root = schema.root_schema_ptr();
    let is_odd = parquet_to_arrow_schema(schema, None).is_err();
    let patched = readable_type(&root, is_odd)?;
    Ok(if Arc::ptr_eq(&root, &patched) {
        None
    } else {
        Some(SchemaDescriptor::new(patched))
    })
}

fn readable_type(parquet: &TypePtr, is_odd: bool) -> Result<TypePtr, ParquetError> {
    if !parquet.is_primitive() {
        let fields = parquet
            .get_fields()
            .iter()
            .map(|field| readable_type(field, is_odd))
            .collect::<Result<Vec<_>, _>>()?;
        let is_same = fields
            .iter()
            .zip(parquet.get_fields())
            .all(|(new, old)| Arc::ptr_eq(new, old));
        return if is_same {
            Ok(Arc::clone(parquet))
        } else {
            group(parquet, fields, None)
        };
    }
    let unit = |converted: ConvertedType| {
        if converted == ConvertedType::TIMESTAMP_MILLIS {
            TimeUnit::MILLIS
        } else {
            TimeUnit::MICROS
        }
    };
    match Annotation::of(parquet) {
        Some(Annotation::Int96) => typed(
            parquet,
            PhysicalType::FIXED_LEN_BYTE_ARRAY,
            INT96_BYTES,
            |builder| builder,
        ),
        Some(Annotation::Interval) => primitive(parquet, |builder| builder),
        Some(Annotation::Enum) => primitive(parquet, |builder| {
            builder.with_logical_type(Some(LogicalType::String))
        }),
        Some(Annotation::OldTimestamp) => {
            let local =
                LogicalType::timestamp(false, unit(parquet.get_basic_info().converted_type()));
            primitive(parquet, |builder| builder.with_logical_type(Some(local)))
        }
        _ if is_odd && !is_known(parquet)? => primitive(parquet, |builder| builder),
        _ => Ok(Arc::clone(parquet)),
    }
}

/// Whether Arrow has a type for a leaf.
fn is_known(parquet: &TypePtr) -> Result<bool, ParquetError> {
    let alone = Type::group_type_builder("schema")
        .with_fields(vec![Arc::clone(parquet)])
        .build()?;
    Ok(parquet_to_arrow_schema(&SchemaDescriptor::new(Arc::new(alone)), None).is_ok())
}

/// The columns of a file with what its own schema says of them, numbers of fields included;
/// `is_whole` says which columns have no null.
pub(super) fn annotated(
    schema: &Schema,
    parquet: &SchemaDescriptor,
    is_whole: impl Fn(usize) -> bool,
) -> Schema {
    let of = |(column, (field, parquet)): (usize, (&FieldRef, &TypePtr))| {
        let field = annotated_field(field, parquet);
        if !has_vectors(&field) || !is_whole(column) {
            return field;
        }
        let mut whole = field.as_ref().clone();
        whole.metadata_mut().insert(WHOLE.to_owned(), String::new());
        Arc::new(whole)
    };
    let fields = schema
        .fields()
        .iter()
        .zip(parquet.root_schema().get_fields())
        .enumerate()
        .map(of);
    Schema::new_with_metadata(fields.collect::<Vec<FieldRef>>(), schema.metadata().clone())
}

fn annotated_field(field: &FieldRef, parquet: &TypePtr) -> FieldRef {
    // Days are days, whatever the Arrow schema of the file calls them: milliseconds would be
    // written as a number.
    let are_days = *field.data_type() == DataType::Date64
        && parquet.is_primitive()
        && parquet.get_physical_type() == PhysicalType::INT32;
    let data_type = if are_days {
        DataType::Date32
    } else {
        annotated_type(field.data_type(), parquet)
    };
    let mut own = field.as_ref().clone().with_data_type(data_type);
    let info = parquet.get_basic_info();
    if info.has_id() {
        own.metadata_mut()
            .insert(PARQUET_FIELD_ID_META_KEY.to_owned(), info.id().to_string());
    }
    // A repeated value without a list around it: what it says belongs to its elements.
    let is_element = list_item(field.data_type()).is_some() && !is_list(parquet);
    if let Some(annotation) = Annotation::of(parquet).filter(|_| !is_element)
        && let Ok(text) = serde_json::to_string(&annotation)
    {
        own.metadata_mut().insert(KEY.to_owned(), text);
    }
    Arc::new(own)
}

fn annotated_type(data_type: &DataType, parquet: &TypePtr) -> DataType {
    let all = |fields: &Fields, of: &[TypePtr]| {
        fields
            .iter()
            .zip(of)
            .map(|(field, parquet)| annotated_field(field, parquet))
            .collect::<Fields>()
    };
    match data_type {
        DataType::Struct(fields) => DataType::Struct(all(fields, parquet.get_fields())),
        DataType::Map(entries, sorted) => match (entries.data_type(), parquet.get_fields()) {
            (DataType::Struct(fields), [pair]) => {
                let fields = DataType::Struct(all(fields, pair.get_fields()));
                DataType::Map(
                    Arc::new(entries.as_ref().clone().with_data_type(fields)),
                    *sorted,
                )
            }
            _ => data_type.clone(),
        },
        other => match list_item(other) {
            Some(item) => with_item(other, annotated_item(item, element(parquet))),
            None => other.clone(),
        },
    }
}

fn annotated_item(item: &FieldRef, parquet: &TypePtr) -> FieldRef {
    if is_list(parquet) || list_item(item.data_type()).is_none() {
        annotated_field(item, parquet)
    } else {
        Arc::clone(item)
    }
}

fn is_list(parquet: &Type) -> bool {
    let converted = parquet.get_basic_info().converted_type();
    !parquet.is_primitive()
        && matches!(
            converted,
            ConvertedType::LIST | ConvertedType::MAP | ConvertedType::MAP_KEY_VALUE
        )
}

/// The elements' type of a list: of three levels, of two, or of a repeated value alone. Source:
/// `LogicalTypes.md` of Apache Parquet's format, "Backward-compatibility rules".
fn element(parquet: &TypePtr) -> &TypePtr {
    let [repeated] = parquet.get_fields_of_list() else {
        return parquet;
    };
    let [item] = repeated.get_fields_of_group() else {
        return repeated;
    };
    let has_repeated_child = item.get_basic_info().has_repetition()
        && item.get_basic_info().repetition() == parquet::basic::Repetition::REPEATED;
    let is_element = !is_list(repeated)
        && !has_repeated_child
        && (repeated.name() == "array" || repeated.name() == format!("{}_tuple", parquet.name()));
    if is_element { repeated } else { item }
}

/// The field of a list's elements, for all kinds of lists.
pub(super) fn list_item(data_type: &DataType) -> Option<&FieldRef> {
    match data_type {
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::ListView(item)
        | DataType::LargeListView(item)
        | DataType::FixedSizeList(item, _) => Some(item),
        _ => None,
    }
}

/// The same kind of list with other elements.
fn with_item(list: &DataType, item: FieldRef) -> DataType {
    match list {
        DataType::LargeList(_) => DataType::LargeList(item),
        DataType::ListView(_) => DataType::ListView(item),
        DataType::LargeListView(_) => DataType::LargeListView(item),
        DataType::FixedSizeList(_, length) => DataType::FixedSizeList(item, *length),
        _ => DataType::List(item),
    }
}

/// The type with each annotated field replaced, at any depth; fields without annotations are seen
/// by `change`, too.
fn changed(field: &FieldRef, change: &impl Fn(Field) -> Field) -> FieldRef {
    let data_type = match field.data_type() {
        DataType::Struct(fields) => {
            DataType::Struct(fields.iter().map(|field| changed(field, change)).collect())
        }
        DataType::Map(entries, sorted) => DataType::Map(changed(entries, change), *sorted),
        other => list_item(other).map_or_else(
            || other.clone(),
            |item| with_item(other, changed(item, change)),
        ),
    };
    Arc::new(change(field.as_ref().clone().with_data_type(data_type)))
}

/// The columns with times of the type INT96 as timestamps of these units, one for each column, and
/// of this zone.
pub(super) fn with_timestamps(
    schema: &Schema,
    unit_of: impl Fn(usize) -> arrow::datatypes::TimeUnit,
    zone: Option<&str>,
) -> Schema {
    let with = |(column, field): (usize, &FieldRef)| {
        changed(field, &|field| match Annotation::of_field(&field) {
            Some(Annotation::Int96) => {
                let data_type = DataType::Timestamp(unit_of(column), zone.map(Arc::from));
                without_annotation(field).with_data_type(data_type)
            }
            _ => field,
        })
    };
    Schema::new_with_metadata(
        schema
            .fields()
            .iter()
            .enumerate()
            .map(with)
            .collect::<Vec<_>>(),
        schema.metadata().clone(),
    )
}

/// Whether a column holds times of the type INT96, at any depth.
pub(super) fn has_int96(field: &Field) -> bool {
    let inner = match field.data_type() {
        DataType::Struct(fields) => fields.iter().any(|field| has_int96(field)),
        DataType::Map(entries, _) => has_int96(entries),
        other => list_item(other).is_some_and(|item| has_int96(item)),
    };
    inner || Annotation::of_field(field) == Some(Annotation::Int96)
}

fn without_annotation(mut field: Field) -> Field {
    field.metadata_mut().remove(KEY);
    field.metadata_mut().remove(WHOLE);
    field
}

/// The schema without annotations, as others may see it.
pub(super) fn without_annotations(schema: &Schema) -> Schema {
    let fields = schema
        .fields()
        .iter()
        .map(|field| changed(field, &without_annotation));
    Schema::new_with_metadata(fields.collect::<Vec<_>>(), schema.metadata().clone())
}

/// The schema with plain lists in the place of vectors of one length, but for columns that are
/// known to have no null. The bytes of a file are the same; pyarrow and pandas fail on a file that
/// declares such vectors and has a null among them.
pub(super) fn with_plain_lists(schema: &Schema) -> Schema {
    let plain = |field: Field| match field.data_type() {
        DataType::FixedSizeList(item, _) => {
            let list = DataType::List(Arc::clone(item));
            field.with_data_type(list)
        }
        _ => field,
    };
    let is_whole = |field: &FieldRef| field.metadata().contains_key(WHOLE);
    let fields = schema.fields().iter().map(|field| {
        if is_whole(field) {
            Arc::clone(field)
        } else {
            changed(field, &plain)
        }
    });
    Schema::new_with_metadata(fields.collect::<Vec<_>>(), schema.metadata().clone())
}

fn has_vectors(field: &Field) -> bool {
    match field.data_type() {
        DataType::FixedSizeList(..) => true,
        DataType::Struct(fields) => fields.iter().any(|field| has_vectors(field)),
        DataType::Map(entries, _) => has_vectors(entries),
        other => list_item(other).is_some_and(|item| has_vectors(item)),
    }
}

/// The Parquet schema of a table, annotations put back.
pub(super) fn parquet_schema(schema: &Schema) -> Result<SchemaDescriptor, ParquetError> {
    let plain = ArrowSchemaConverter::new().convert(schema)?;
    let root = plain.root_schema();
    let fields = schema
        .fields()
        .iter()
        .zip(root.get_fields())
        .map(|(field, parquet)| written_type(field, parquet));
    Ok(SchemaDescriptor::new(group(
        root,
        fields.collect::<Result<Vec<_>, _>>()?,
        None,
    )?))
}

fn written_type(field: &Field, parquet: &TypePtr) -> Result<TypePtr, ParquetError> {
    let children = |fields: &[FieldRef], of: &[TypePtr]| {
        fields
            .iter()
            .zip(of)
            .map(|(field, parquet)| written_type(field, parquet))
            .collect::<Result<Vec<_>, ParquetError>>()
    };
    let inner = match (field.data_type(), parquet.get_fields_of_group()) {
        (DataType::Struct(fields), of @ [_, ..]) => group(parquet, children(fields, of)?, None)?,
        (DataType::Map(entries, _), [pair]) => {
            let DataType::Struct(fields) = entries.data_type() else {
                return Ok(Arc::clone(parquet));
            };
            group(
                parquet,
                vec![group(pair, children(fields, pair.get_fields())?, None)?],
                None,
            )?
        }
        (list, [repeated]) => match (list_item(list), repeated.get_fields_of_group()) {
            (Some(item), [element]) => group(
                parquet,
                vec![group(repeated, vec![written_type(item, element)?], None)?],
                None,
            )?,
            _ => Arc::clone(parquet),
        },
        _ => Arc::clone(parquet),
    };
    match Annotation::of_field(field).filter(|annotation| annotation.suits(field.data_type())) {
        Some(annotation) => annotation.applied(&inner),
        None => Ok(inner),
    }
}

/// The fields of a type that may be a single value.
trait GroupFields {
    fn get_fields_of_group(&self) -> &[TypePtr];
    fn get_fields_of_list(&self) -> &[TypePtr];
}

impl GroupFields for Type {
    fn get_fields_of_group(&self) -> &[TypePtr] {
        if self.is_primitive() {
            &[]
        } else {
            self.get_fields()
        }
    }

    fn get_fields_of_list(&self) -> &[TypePtr] {
        if is_list(self) {
            self.get_fields()
        } else {
            &[]
        }
    }
}
