# The Debian package: `./dev package`, or cpack in a build folder. Needs the target botburrow to be built, and
# nothing else of the project.
include(GNUInstallDirs)
set(CMAKE_SKIP_INSTALL_ALL_DEPENDENCY TRUE)
set(bb_deploy ${CMAKE_CURRENT_LIST_DIR}/../deploy)
set(bb_root ${CMAKE_CURRENT_LIST_DIR}/..)

install(PROGRAMS $<TARGET_FILE:botburrow> DESTINATION bin)
# The build keeps debug information for stack traces; it is three quarters of the file.
find_program(STRIP_PROGRAM NAMES strip llvm-strip-19)
if(STRIP_PROGRAM)
  install(CODE "execute_process(COMMAND ${STRIP_PROGRAM} --strip-debug \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/bin/botburrow\" COMMAND_ERROR_IS_FATAL ANY)")
endif()

# Completions are what the program itself prints.
function(bb_completion shell file)
  install(CODE "
    set(file \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/${file}\")
    get_filename_component(folder \"\${file}\" DIRECTORY)
    file(MAKE_DIRECTORY \"\${folder}\")
    execute_process(COMMAND \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/bin/botburrow\" completion ${shell}
                    OUTPUT_FILE \"\${file}\" COMMAND_ERROR_IS_FATAL ANY)")
endfunction()
bb_completion(bash share/bash-completion/completions/botburrow)
bb_completion(zsh share/zsh/vendor-completions/_botburrow)
bb_completion(fish share/fish/vendor_completions.d/botburrow.fish)

file(GLOB bb_units CONFIGURE_DEPENDS ${bb_deploy}/systemd/*.service ${bb_deploy}/systemd/*.target)
file(GLOB bb_environments CONFIGURE_DEPENDS ${bb_deploy}/systemd/*.env)
install(FILES ${bb_units} DESTINATION /lib/systemd/system)
install(FILES ${bb_environments} DESTINATION /etc/botburrow)
install(DIRECTORY DESTINATION /etc/botburrow/credentials DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE)
install(FILES ${bb_deploy}/systemd/runner-keys.conf DESTINATION share/doc/botburrow)
install(FILES ${bb_root}/README.md ${bb_root}/CHANGELOG.md DESTINATION share/doc/botburrow)
install(FILES ${bb_root}/LICENSE DESTINATION share/doc/botburrow RENAME copyright)
install(DIRECTORY ${bb_root}/docs/ DESTINATION share/doc/botburrow)
# `botburrow demo` runs them, so they are no documentation, which some machines leave out; there is a link to them.
install(DIRECTORY ${bb_root}/examples DESTINATION share/botburrow)
install(CODE "
  file(CREATE_LINK ../../botburrow/examples \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/share/doc/botburrow/examples\" SYMBOLIC)")

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME botburrow)
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_PACKAGE_CONTACT "The Botburrow developers")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "runs LLM agents as background workers")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_SET_DESTDIR FALSE)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION
    "Hub, coordinator and runner of Botburrow, and its commands, in one program.
Agents are folders of YAML and Markdown; each mention is answered once,
whatever crashes in between. Units for systemd are included, none is started
by the installation.")
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "bubblewrap, ca-certificates, redis-server")
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "redis-tools")
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA ${bb_deploy}/debian/conffiles ${bb_deploy}/debian/postinst
    ${bb_deploy}/debian/prerm ${bb_deploy}/debian/postrm)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION TRUE)
include(CPack)
