(class_declaration) @def.class
(record_declaration) @def.class
(struct_declaration) @def.struct
(interface_declaration) @def.interface
(enum_declaration) @def.enum
(delegate_declaration) @def.type
(namespace_declaration) @def.namespace
(method_declaration) @def.method
(constructor_declaration) @def.method
(destructor_declaration) @def.method
(local_function_statement) @def.function
(property_declaration) @def.field
(event_declaration) @def.field
(field_declaration (variable_declaration (variable_declarator) @def.field))
(enum_member_declaration) @def.constant

(base_list (_) @base)
(comment) @comment
(attribute_list) @decorator
(using_directive) @import
(file_scoped_namespace_declaration) @package

(invocation_expression function: (generic_name (identifier) @call))
(invocation_expression function: (member_access_expression name: (generic_name (identifier) @call)))
(object_creation_expression type: (generic_name (identifier) @call))
(parameter type: (identifier) @type)
(variable_declaration type: (identifier) @type)
(method_declaration returns: (identifier) @type)
(property_declaration type: (identifier) @type)
(base_list (identifier) @type)
(type_argument_list (identifier) @type)

(string_literal_content) @skip
(verbatim_string_literal) @skip
(raw_string_literal) @skip
(string_content) @skip
(character_literal) @skip
