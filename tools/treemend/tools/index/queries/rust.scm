(function_item) @def.function
(function_signature_item) @def.function
(struct_item) @def.struct
(union_item) @def.struct
(enum_item) @def.enum
(trait_item) @def.trait
(type_item) @def.type
(associated_type) @def.type
(const_item) @def.constant
(static_item) @def.variable
(macro_definition) @def.macro
(mod_item body: (_)) @def.namespace
(impl_item) @def.impl
(field_declaration) @def.field
(enum_variant) @def.constant

(trait_item bounds: (trait_bounds (_) @base))
(impl_item trait: (_) @base)
(line_comment) @comment
(block_comment) @comment
(attribute_item) @decorator
(use_declaration) @import
(mod_item !body) @import
(extern_crate_declaration) @import

(type_identifier) @type
(call_expression function: (generic_function function: (identifier) @call))
(call_expression function: (generic_function function: (scoped_identifier name: (identifier) @call)))
(call_expression function: (generic_function function: (field_expression field: (field_identifier) @call)))
(struct_expression name: (type_identifier) @call)
(call_expression function: (generic_function function: (identifier) @call))
(macro_invocation macro: (identifier) @call)
(macro_invocation macro: (scoped_identifier name: (identifier) @call))

(string_content) @skip
(raw_string_literal) @skip
(char_literal) @skip
(lifetime) @skip

(parameter pattern: (identifier) @bind)
(let_declaration pattern: (identifier) @bind)
(closure_parameters (identifier) @bind)
(tuple_pattern (identifier) @bind)
(tuple_struct_pattern (identifier) @bind)
(match_pattern (identifier) @bind)
(for_expression pattern: (identifier) @bind)
(type_parameter name: (type_identifier) @bind)
(field_initializer field: (field_identifier) @keyword)
(primitive_type) @skip
