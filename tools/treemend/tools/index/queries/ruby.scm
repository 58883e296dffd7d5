(class) @def.class
(module) @def.namespace
(method) @def.function
(singleton_method) @def.function
(assignment left: (constant)) @def.constant
(assignment left: (instance_variable)) @def.field

(superclass (_) @base)
(comment) @comment
((call method: (identifier) @_require arguments: (argument_list (string) .)) @import
  (#any-of? @_require "require" "require_relative" "load" "autoload"))
(call method: (identifier) arguments: (argument_list [(constant) (scope_resolution)])) @mixin

(constant) @type
(call method: [(identifier) (constant)] @call)
(call method: (identifier) @call)

(string_content) @skip
(heredoc_content) @skip
