//! Answers and bodies that are not JSON.

use utoipa::ToSchema;

/// Raw bytes.
#[derive(ToSchema)]
#[schema(value_type = String, format = Binary)]
#[expect(dead_code, reason = "documents what streams carry")]
pub struct Binary(Vec<u8>);
