(class_declaration) @def.class
(interface_declaration) @def.interface
(trait_declaration) @def.trait
(enum_declaration) @def.enum
(function_definition) @def.function
(method_declaration) @def.method
(property_element) @def.field
(const_element) @def.constant
(enum_case) @def.constant

(base_clause (_) @base)
(class_interface_clause (_) @base)
(declaration_list (use_declaration (_) @base))
(comment) @comment
(attribute_list) @decorator
(namespace_use_declaration) @import
(namespace_definition) @package

(named_type (name) @type)
(named_type (qualified_name (name) @type))
(function_call_expression function: (qualified_name (name) @call))
(object_creation_expression (qualified_name (name) @call))

(string_content) @skip
(nowdoc_string) @skip
(text) @skip
