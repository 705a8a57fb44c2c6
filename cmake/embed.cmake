# Writes a C++ file in which the constant NAME of namespace groupmamba is the
# content of the file IN, for programs that carry a file with them.
# Run: cmake -DIN=... -DOUT=... -DNAME=... -P cmake/embed.cmake
file(READ ${IN} content)
if(content MATCHES "\\)gm\"")
  message(FATAL_ERROR "${IN} holds )gm\", which ends the string that carries it")
endif()
file(WRITE ${OUT}
  "namespace groupmamba {\nextern const char ${NAME}[];\n"
  "const char ${NAME}[] = R\"gm(${content})gm\";\n}  // namespace groupmamba\n")
