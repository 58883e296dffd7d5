(function_declaration) @def.function
(method_declaration) @def.method
(type_spec type: (struct_type)) @def.struct
(type_spec type: (interface_type)) @def.interface
(type_spec) @def.type
(type_alias) @def.type
(source_file (const_declaration (const_spec name: (identifier) @def.constant)))
(source_file (var_declaration (var_spec name: (identifier) @def.variable)))
(source_file (var_declaration (var_spec_list (var_spec name: (identifier) @def.variable))))
(field_declaration name: (field_identifier) @def.field)
(method_elem) @def.method

(field_declaration !name type: (_) @base)
(interface_type (type_elem (_) @base))
(comment) @comment
(import_spec) @import
(package_clause) @package

(type_identifier) @type
(composite_literal type: (type_identifier) @call)
(composite_literal type: (qualified_type name: (type_identifier) @call))
(call_expression function: (identifier) @call type_arguments: (_))

(interpreted_string_literal) @skip
(raw_string_literal) @skip
(rune_literal) @skip

(parameter_declaration name: (identifier) @bind)
(variadic_parameter_declaration name: (identifier) @bind)
(short_var_declaration left: (expression_list (identifier) @bind))
(var_spec name: (identifier) @bind)
(range_clause left: (expression_list (identifier) @bind))
(type_parameter_declaration name: (identifier) @bind)
(keyed_element . (literal_element (identifier) @keyword))
(label_name) @keyword
