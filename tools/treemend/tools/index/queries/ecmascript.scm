(class_declaration) @def.class
(function_declaration) @def.function
(generator_function_declaration) @def.function
(method_definition) @def.method
(variable_declarator name: (identifier) value: [(arrow_function) (function_expression) (generator_function)]) @def.function
(variable_declarator name: (identifier) value: (class)) @def.class
(program (lexical_declaration (variable_declarator name: (identifier)) @def.variable))
(program (variable_declaration (variable_declarator name: (identifier)) @def.variable))
(export_statement declaration: (lexical_declaration (variable_declarator name: (identifier)) @def.variable))
(assignment_expression left: (member_expression) right: [(arrow_function) (function_expression) (generator_function)]) @def.function
(assignment_expression left: (member_expression object: (this))) @def.field
(pair key: (property_identifier) value: [(arrow_function) (function_expression) (generator_function)]) @def.method

(comment) @comment
(decorator) @decorator
(import_statement) @import
(export_statement source: (string)) @import
((variable_declarator value: (call_expression function: (identifier) @_require arguments: (arguments . (string) .))) @import
  (#eq? @_require "require"))

(call_expression function: (member_expression property: (property_identifier) @call) arguments: (template_string))
(call_expression function: (identifier) @call arguments: (template_string))
(string_fragment) @skip
(regex_pattern) @skip

(variable_declarator name: (identifier) @bind)
(shorthand_property_identifier_pattern) @bind
(array_pattern (identifier) @bind)
(pair_pattern value: (identifier) @bind)
(rest_pattern (identifier) @bind)
(arrow_function parameter: (identifier) @bind)
(catch_clause parameter: (identifier) @bind)
(for_in_statement left: (identifier) @bind)
(pair key: (property_identifier) @keyword)
