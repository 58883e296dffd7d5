(class_definition) @def.class
(function_definition) @def.function
(module (expression_statement (assignment left: (identifier)) @def.variable))
(class_definition body: (block (expression_statement (assignment left: (identifier)) @def.field)))
(assignment left: (attribute object: (identifier) attribute: (identifier))) @def.field
(type_alias_statement) @def.type

(class_definition superclasses: (argument_list [(identifier) (attribute) (subscript)] @base))
(decorator) @decorator
(comment) @comment
(import_statement) @import
(import_from_statement) @import

(attribute attribute: (identifier) @attribute)
(type (identifier) @type)
(type (attribute attribute: (identifier) @type))
(type (generic_type (identifier) @type))

(string_content) @skip
