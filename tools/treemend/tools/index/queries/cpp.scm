(class_specifier name: (_) body: (_)) @def.class
(namespace_definition name: (_)) @def.namespace
(alias_declaration) @def.type
(concept_definition) @def.type
(field_declaration declarator: (function_declarator)) @def.method
(field_declaration declarator: (pointer_declarator declarator: (function_declarator))) @def.method
(field_declaration declarator: (reference_declarator (function_declarator))) @def.method
(declaration declarator: (reference_declarator (function_declarator))) @def.function

(base_class_clause [(type_identifier) (qualified_identifier) (template_type)] @base)
(using_declaration) @import

(call_expression function: (template_function name: (identifier) @call))
(new_expression type: (type_identifier) @call)
(raw_string_literal) @skip
