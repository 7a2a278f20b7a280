/* Prints what SDL says of game controllers, of which it opens the first; it rumbles when Start is pressed. An argument names
 * the device; without one SDL looks for devices itself. */
#include <SDL2/SDL.h>
#include <stdio.h>

int main(int argc, char **argv) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  if (argc > 1) SDL_SetHint(SDL_HINT_JOYSTICK_DEVICE, argv[1]);
  SDL_SetHint(SDL_HINT_JOYSTICK_ALLOW_BACKGROUND_EVENTS, "1");
  SDL_SetHint(SDL_HINT_VIDEODRIVER, "dummy");
  if (SDL_Init(SDL_INIT_GAMECONTROLLER) != 0) {
    printf("SDL: %s\n", SDL_GetError());
    return 1;
  }
  SDL_GameController *pad = NULL;
  for (;;) {
    SDL_Event event;
    if (!SDL_WaitEventTimeout(&event, 1000)) continue;
    if (event.type == SDL_CONTROLLERDEVICEADDED) printf("added, %d in all\n", SDL_NumJoysticks());
    if (event.type == SDL_CONTROLLERDEVICEADDED && !pad) {
      pad = SDL_GameControllerOpen(event.cdevice.which);
      SDL_Joystick *joystick = SDL_GameControllerGetJoystick(pad);
      char guid[64];
      SDL_JoystickGetGUIDString(SDL_JoystickGetGUID(joystick), guid, sizeof guid);
      printf("controller: %s\n", SDL_GameControllerName(pad));
      /* Bytes 2 and 3 are a checksum of the name. */
      guid[4] = guid[5] = guid[6] = guid[7] = '0';
      printf("guid: %s axes %d hats %d buttons %d\n", guid, SDL_JoystickNumAxes(joystick), SDL_JoystickNumHats(joystick),
             SDL_JoystickNumButtons(joystick));
    } else if (event.type == SDL_CONTROLLERBUTTONDOWN || event.type == SDL_CONTROLLERBUTTONUP) {
      printf("button %s %d\n", SDL_GameControllerGetStringForButton(event.cbutton.button), event.cbutton.state);
      if (event.cbutton.button == SDL_CONTROLLER_BUTTON_START && event.cbutton.state)
        SDL_GameControllerRumble(pad, 0x8000, 0x4000, 60000);
    } else if (event.type == SDL_CONTROLLERAXISMOTION) {
      printf("axis %s %d\n", SDL_GameControllerGetStringForAxis(event.caxis.axis), event.caxis.value);
    } else if (event.type == SDL_JOYDEVICEREMOVED) {
      printf("removed, %d in all\n", SDL_NumJoysticks());
    }
  }
}
