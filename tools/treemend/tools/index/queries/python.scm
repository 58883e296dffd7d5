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

(type (identifier) @type)
(type (attribute attribute: (identifier) @type))
(type (generic_type (identifier) @type))

(string_content) @skip

(assignment left: (identifier) @bind)
(pattern_list (identifier) @bind)
(tuple_pattern (identifier) @bind)
(parameters (identifier) @bind)
(lambda_parameters (identifier) @bind)
(default_parameter name: (identifier) @bind)
(typed_parameter . (identifier) @bind)
(typed_default_parameter name: (identifier) @bind)
(list_splat_pattern (identifier) @bind)
(dictionary_splat_pattern (identifier) @bind)
(for_statement left: (identifier) @bind)
(for_in_clause left: (identifier) @bind)
(as_pattern_target (identifier) @bind)
(named_expression name: (identifier) @bind)
(case_pattern (dotted_name . (identifier) @bind .))
(type_parameter (type (identifier) @bind))
(keyword_argument name: (identifier) @keyword)
