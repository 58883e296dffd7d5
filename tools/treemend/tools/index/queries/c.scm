(function_definition) @def.function
(declaration declarator: (function_declarator)) @def.function
(declaration declarator: (pointer_declarator declarator: (function_declarator))) @def.function
(translation_unit (declaration declarator: (init_declarator)) @def.variable)
(translation_unit (declaration declarator: (identifier)) @def.variable)
(struct_specifier name: (_) body: (_)) @def.struct
(union_specifier name: (_) body: (_)) @def.struct
(enum_specifier name: (_) body: (_)) @def.enum
(type_definition declarator: (_)) @def.type
(preproc_def) @def.macro
(preproc_function_def) @def.macro
(field_declaration declarator: (_)) @def.field
(enumerator) @def.constant

(comment) @comment
(preproc_include) @import

(type_identifier) @type

(string_content) @skip
(char_literal) @skip
(system_lib_string) @skip

(parameter_declaration declarator: (identifier) @bind)
(parameter_declaration declarator: (pointer_declarator declarator: (identifier) @bind))
(init_declarator declarator: (identifier) @bind)
(primitive_type) @skip
