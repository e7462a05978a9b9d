//! How a signed file is described.

use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, SchemaType, Type};
use utoipa::{PartialSchema, ToSchema};

/// A JSON Web Signature in compact form: header, payload and signature in base64url, with dots between.
pub(crate) struct SignedText;

impl PartialSchema for SignedText {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(SchemaType::Type(Type::String))
            .pattern(Some("^[A-Za-z0-9_-]+\\.[A-Za-z0-9_-]+\\.[A-Za-z0-9_-]{86}$"))
            .into()
    }
}

impl ToSchema for SignedText {}
