(field_definition) @def.field
(class_heritage (_) @base)
(jsx_opening_element name: (identifier) @call)
(jsx_self_closing_element name: (identifier) @call)
(jsx_text) @skip

(formal_parameters (identifier) @bind)
(assignment_pattern left: (identifier) @bind)
