(class_declaration) @def.class
(record_declaration) @def.class
(interface_declaration) @def.interface
(annotation_type_declaration) @def.interface
(enum_declaration) @def.enum
(method_declaration) @def.method
(annotation_type_element_declaration) @def.method
(constructor_declaration) @def.method
(compact_constructor_declaration) @def.method
(field_declaration declarator: (variable_declarator) @def.field)
(constant_declaration declarator: (variable_declarator) @def.constant)
(enum_constant) @def.constant

(superclass (_) @base)
(super_interfaces (type_list (_) @base))
(extends_interfaces (type_list (_) @base))
(line_comment) @comment
(block_comment) @comment
(marker_annotation) @decorator
(annotation) @decorator
(import_declaration) @import
(package_declaration) @package

(type_identifier) @type
(object_creation_expression type: (generic_type (type_identifier) @call))
(method_reference (identifier) @call .)

(string_fragment) @skip
(multiline_string_fragment) @skip
(character_literal) @skip

(formal_parameter name: (identifier) @bind)
(variable_declarator name: (identifier) @bind)
(catch_formal_parameter name: (identifier) @bind)
(enhanced_for_statement name: (identifier) @bind)
(lambda_expression parameters: (identifier) @bind)
(inferred_parameters (identifier) @bind)
(resource name: (identifier) @bind)
(type_parameter (type_identifier) @bind)
(integral_type) @skip
(floating_point_type) @skip
(boolean_type) @skip
