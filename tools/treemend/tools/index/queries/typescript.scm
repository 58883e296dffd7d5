(abstract_class_declaration) @def.class
(interface_declaration) @def.interface
(enum_declaration) @def.enum
(type_alias_declaration) @def.type
(internal_module) @def.namespace
(module name: (identifier)) @def.namespace
(function_signature) @def.function
(method_signature) @def.method
(abstract_method_signature) @def.method
(property_signature) @def.field
(public_field_definition) @def.field
(enum_assignment name: (property_identifier)) @def.constant
(enum_body name: (property_identifier) @def.constant)

(extends_clause value: (_) @base)
(implements_clause (_) @base)
(extends_type_clause type: (_) @base)

(type_identifier) @type
(call_expression function: (identifier) @call type_arguments: (_))
(call_expression function: (member_expression property: (property_identifier) @call) type_arguments: (_))
(new_expression constructor: (identifier) @call type_arguments: (_))

(required_parameter pattern: (identifier) @bind)
(optional_parameter pattern: (identifier) @bind)
(type_parameter name: (type_identifier) @bind)
(predefined_type) @skip
